"""What the hub keeps of its reconciliations: links and digests, sessions and nights, cases.

In the order of use: ``tables``; ``links`` (one row a registry: how it is compared, how far its
digests are folded); ``digests``; ``block_sums`` (what a first build reads); ``movements`` (which
entry of the log moved what of whose units, read from the postings); ``ledger_view`` (one registry's
units as of any index); ``sessions`` with their questions, answers and findings; ``nights`` and what
was asked for on demand; ``cases`` with their serials and what is frozen; ``alerts`` still to be
sent.
"""
