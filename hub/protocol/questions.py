"""Which messages only ask, and whom. PURE.

A question to the hub is answered anew each time and never recorded. The same query to another
participant is a message between the two: recorded, handed on if that is the mechanism registry, and
answered by a message of the mechanism registry's own.
"""

from message_schemas.catalogue import MESSAGE_TYPES


def asks_hub(message_type: str, *, to_hub: bool) -> bool:
    """Tell whether a message is a question that the hub itself answers.

    ``to_hub``: the envelope is addressed to the hub. An unknown type asks nothing.
    """
    known = MESSAGE_TYPES.get(message_type)
    if known is None or not known.read_only:
        return False
    return to_hub or not known.mechanism_answers


def asks_mechanism(message_type: str) -> bool:
    """Tell whether a message is a query that the mechanism registry may be asked."""
    known = MESSAGE_TYPES.get(message_type)
    return known is not None and known.mechanism_answers
