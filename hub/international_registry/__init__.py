"""Units, accounts, authorizations, actions and the ledger; imports nothing of ours.

The map of this PURE package:

``units``           series, attributes, ranges of serials, and the ledger block.
``postings``        the journal's vocabulary: one posting a change of one piece of units.
``block_index``     the sorted structure under a window; the one place where blocks are replaced.
``ledger``          the window: the part of the ledger that one batch may touch, and its operations.
``purposes``        the algebra of purposes (NDC, IMP, OP, OIMP and their combinations).
``first_transfer``  which event is the first transfer of a unit: one table.
``accounts``        accounts, their kinds as data, what each may receive and give.
``authorizations``  cooperative approaches, authorizations, entities, and the usage of caps.
``issuance``        the shares that leave an issuance of A6.4ERs first, and their rounding.
``replay``          the journal played again from nothing.
``invariants``      the proof that blocks, journal, reservations and caps agree.
"""
