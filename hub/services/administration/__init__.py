"""What administrators do: each act one transaction, one entry of the log, with who and why.

1. ``deeds`` says what is done as plain data; the subject modules (``participants``, ``accounts``,
   ``suspensions``, ``log_losses``, ``administrators``) make deeds and know how each is done.
2. ``statements`` are what administrators sign about a deed; ``authority`` judges them.
3. ``administration`` is the one way in, for acts done at once and for those another administrator
   must approve; ``doing`` is the transaction they all share; ``kinds`` the table of all deeds.
4. ``recorded_acts`` reads acts back, with their statements checked again.
"""
