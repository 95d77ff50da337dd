"""Do both ends agree? Digests, comparison, discrepancies, and the runs that produce them.

The core of the comparison, pure: values in, values out. No service uses it yet; what is here is
called by its tests and its benchmark alone. In the order of reading:

    owned         what both sides own of a unit, in one place
    digests       keyed sums of block edges, and tables of them
    movements     what one log entry did to one registry's units, and what it did to the sums
    steps         units as step functions over serials: adding, comparing
    books         the ledger's view of one registry as of any log index
    messages      what the two sides say to each other
    responder     the registry's side: one module, the standard library alone
    explain       the message whose loss or repetition makes all the difference
    discrepancies findings, their kinds, and what both sides say
    compare       the narrowing down, series by series and chunk by chunk
    run_states    one session with one registry, as a state machine over messages
    totals        the same for a registry that has no digests
"""
