"""The exchange from the peer's end: durable outbox and inbox, receipts, deliveries, alarms.

crash_points, database, tables, state    the file, its writer, and where a process may die
outbox, outbox_states, sender            from `submit` to a verified receipt
receipts, deliveries, trust              what may be believed (bytes in, values out)
receiver, push, poller, exchanger        from a delivery's bytes to an acknowledgement
participants, alarms, metrics            the list of keys, what went wrong, how much of what
log                                      the hub's transparency log: claims, proofs, audit, witness
handler                                  what a registry does with it
session                                  all of it together

It speaks to the hub by HTTP and knows only `message_schemas`, `keys`, `hub.protocol` and
`hub.transparency_log`.
"""
