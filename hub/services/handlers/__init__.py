"""What each message type does to a batch, one module a family.

A handler takes a message that has passed its schema and the working state of the batch; it asks
the checks, and either refuses or changes the state. It never touches the database.
"""
