"""What only asks, and whom."""

from hub.protocol.questions import asks_hub, asks_mechanism
from message_schemas.catalogue import MESSAGE_TYPES


def test_four_questions_are_for_the_hub() -> None:
    """A type nobody knows counts as one that records: it must get a stored receipt."""
    asked = {name for name in MESSAGE_TYPES if asks_hub(name, to_hub=True)}
    assert asked == {"mailbox.fetch", "transfer.status", "holdings.query", "history.query"}
    assert not asks_hub("transfer.imagine", to_hub=True)


def test_two_of_them_may_be_asked_of_another() -> None:
    """Sent to the mechanism registry they are messages like others; the rest stays the hub's."""
    asked = {name for name in MESSAGE_TYPES if asks_hub(name, to_hub=False)}
    assert asked == {"mailbox.fetch", "transfer.status"}
    assert {name for name in MESSAGE_TYPES if asks_mechanism(name)} == {
        "holdings.query",
        "history.query",
    }
    assert not asks_mechanism("transfer.imagine")
