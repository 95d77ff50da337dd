"""``itmo-hub account …``: accounts of the international registry."""

import pytest

from tests.hub.commands.runner import done, refused


def test_an_account_is_opened_listed_and_closed(registered_url: str) -> None:
    """With its Party, type, approach and entity, on either database."""
    database = ("--database", registered_url)
    words = ("--party", "CHE", "--approach", "CA0001", "--type", "200", "--entity", "ENT-1")
    opened = done("account", "open", "CHE-1", *words, *database)
    assert opened.lines == [["XIR01/CHE-1", "open"]]
    assert done("account", "list", "--json", *database).document == [
        {
            "registry": "XIR01",
            "account": "CHE-1",
            "type": 200,
            "party": "CHE",
            "entity": "ENT-1",
            "approach": "CA0001",
            "metric": "GHG",
            "status": "open",
        }
    ]
    closed = done("account", "status", "CHE-1", "closed", "--reason", "left", *database)
    assert closed.lines == [["XIR01/CHE-1", "closed"]]
    header, row = done("account", "list", *database).lines
    assert dict(zip(header, row, strict=True))["status"] == "closed"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("CHE-1", "--party", "CHE", "--type", "999"), "999"),
        (("X" * 51, "--party", "CHE"), "account id"),
        (("-", "--party", "CHE"), "account id"),
        (("CHE 1", "--party", "CHE"), "account id"),
        (("CHE-1", "--party", "Switzerland"), "Party"),
        (("CHE-1", "--party", "che"), "Party"),
        (("CHE-1", "--party", "CHE", "--approach", "CA1"), "cooperative approach"),
        (("CHE-1", "--party", "CHE", "--entity", "E" * 101), "entity"),
        (("CHE-1", "--party", "CHE", "--metric", "tonnes"), "metric"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_what_no_message_could_name_is_not_opened(
    registered_url: str, words: tuple[str, ...], expected: str
) -> None:
    """The same rules as on the wire, and the same answer on both databases."""
    account, *options = words
    said = refused("account", "open", *options, "--database", registered_url, "--", account)
    assert expected in said


def test_an_account_is_opened_once_and_only_a_known_one_changes(sqlite_url: str) -> None:
    """The second opening and a status of nothing are refused."""
    database = ("--database", sqlite_url)
    done("account", "open", "CHE-1", "--party", "CHE", *database)
    assert "exists already" in refused("account", "open", "CHE-1", "--party", "CHE", *database)
    words = ("account", "status", "CHE-2", "closed", "--reason", "left")
    assert "no account" in refused(*words, *database)
