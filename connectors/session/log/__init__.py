"""The hub's transparency log, as seen by one participant: what it was promised, and what it sees.

tables                          the pinned keys, the head, claims, proofs, what the audit found
pins, heads                     whom the log's word is believed from, and the last head believed
claims                          what receipts and deliveries promise: an entry at an index
judging                         PURE: does an entry keep the promise? do the counters follow?
client                          what the hub serves about its log, as bytes and values
findings                        an alarm with its evidence, and the pause that some of them mean
monitor                         the worker: checkpoint, consistency, proofs
audit, audit_rows               every entry since the last audit, the root, and the own counters
witness                         C2SP tlog-witness: cosigns what is consistent with the last head

1. A receipt or delivery files its claim in the transaction that stores it.
2. One head is remembered for everything. The monitor and the witness move it by check-and-set in
   one transaction, and only forwards, to a tree proven to contain the one before.
3. A fork, a rollback, a false proof or another entry than promised pauses the session: nothing
   is sent and nothing is taken until an operator resumes it.
"""
