"""The commands of ``itmo-hub``: thin shells around the services, one module a subject.

Results go to standard output (a table on a terminal, tab-separated otherwise, JSON with
``--json``), errors to standard error; exit status 0 done, 1 refused, 2 misused.
"""
