"""People at the hub: who may sign in to the console, and what they have open there.

None of it is the exchange's: a message, a unit or an entry of the log never depends on these rows.
"""
