"""The bodies of the messages, one module a family; ``message_schemas.catalogue`` lists them all.

Every body is a frozen value. A field without a default is always on the wire; a field with a
default is optional there and left out when it has that default. Timestamps and dates stay the
text that was signed (``message_schemas.timestamps`` reads them). Lists are tuples.
"""
