"""Do both ends agree? Digests, comparison, discrepancies, and the runs that produce them.

The core of the comparison, pure: values in, values out. What the hub does with it, and where it
keeps things, is ``hub.services.reconciliation``. In the order of reading:

    owned         what both sides own of a unit, in one place
    link_keys     the key of the sums: one for each link and year
    digests       keyed sums of block edges, and tables of them
    movements     what one log entry did to one registry's units, and what it did to the sums
    steps         units as step functions over serials: adding, comparing
    books         the ledger's view of one registry as of any log index
    explain       the message whose loss or repetition makes all the difference
    discrepancies findings, their kinds, and what both sides say
    messages      what the two sides say to each other, as values and as the exchange's messages
    responder     the registry's side: one module, the standard library alone
    compare       the narrowing down, series by series and chunk by chunk
    run_states    one session with one registry, as a state machine over messages
    totals        the same for a registry that has no digests
    statements    the same for one that hands in a file; its parts are ``statement_...``
    records       transfers without units, as both sides have them; ``record_messages`` carries them
    cases         findings that belong together; ``case_states`` and ``case_words``
"""
