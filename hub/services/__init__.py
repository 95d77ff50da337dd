"""The use cases: one file is one thing the hub does, in one transaction.

``receive_envelopes`` takes a batch from bytes to receipts; ``handlers`` hold what each message type
does to the batch; ``deliver`` makes deliveries and ``courier`` pushes them; ``expire_transfers``
sweeps; ``answer_queries`` serves what only asks. Rooms of their own have ``administration`` (what
people may do, signed), ``reconciliation`` (nights, cases, alerts), ``people`` (who may sign in) and
``console`` (what its pages show and do).
"""
