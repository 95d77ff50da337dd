"""The catalogue: who may say what to whom."""

import pytest

from message_schemas.catalogue import ALL, MECHANISM, MESSAGE_TYPES, NOTICE_TYPES

READ_ONLY = {"mailbox.fetch", "transfer.status", "holdings.query", "history.query"}
BETWEEN_PARTICIPANTS = {
    "transfer.proposal",
    "transfer.acknowledgement",
    "transfer.cancellation",
    "transfer.notification",
    "transfer.recognition",
    "administrator.note",
    "holdings.answer",
    "history.answer",
}


def test_read_only_messages_are_the_four_questions() -> None:
    """Everything else is recorded."""
    assert {name for name, kind in MESSAGE_TYPES.items() if kind.read_only} == READ_ONLY


def test_what_a_participant_answers_is_addressed_to_it() -> None:
    """Transfers, answers and notes go to the other participant, all else to the hub."""
    addressed = {name for name, kind in MESSAGE_TYPES.items() if kind.recipient == "participant"}
    assert addressed == BETWEEN_PARTICIPANTS


@pytest.mark.parametrize("name", MESSAGE_TYPES)
def test_every_message_has_a_sender_and_a_sentence(name: str) -> None:
    """Named as in the table, sent by known kinds, told in one sentence."""
    kind = MESSAGE_TYPES[name]
    assert (kind.name, kind.version) == (name, 1)
    assert set() < kind.senders <= ALL
    assert kind.summary.endswith(".")


@pytest.mark.parametrize("name", NOTICE_TYPES)
def test_every_notice_has_a_sentence(name: str) -> None:
    """Named as in the table and told in one sentence."""
    assert (NOTICE_TYPES[name].name, NOTICE_TYPES[name].version) == (name, 1)
    assert NOTICE_TYPES[name].summary.endswith(".")


def test_only_the_mechanism_registry_tells_of_article_64() -> None:
    """A Party registry cannot issue A6.4ERs by a message."""
    article64 = [kind for name, kind in MESSAGE_TYPES.items() if name.startswith("a64.")]
    assert len(article64) == 3
    assert {kind.senders for kind in article64} == {frozenset({MECHANISM})}


def test_no_name_is_both_a_message_and_a_notice() -> None:
    """One name, one schema."""
    assert not set(MESSAGE_TYPES) & set(NOTICE_TYPES)


def test_the_tables_cannot_be_changed() -> None:
    """The catalogue is a constant."""
    with pytest.raises(TypeError):
        MESSAGE_TYPES["x"] = MESSAGE_TYPES["key.revoke"]  # type: ignore[index]  # the point of it
