"""``itmo-hub rulebook`` and ``itmo-hub alerts``."""

from hub.protocol.response_codes import ResponseCode
from hub.store.database import Database
from tests.hub.commands.runner import done, refused
from tests.hub.world import HUB, World


def test_the_whole_catalogue_is_listed() -> None:
    """One line a code, and the very document that the hub serves."""
    header, *rows = done("rulebook").lines
    assert header[:2] == ["number", "name"]
    assert {int(row[0]) for row in rows} == {int(code) for code in ResponseCode if code}
    assert len(done("rulebook", "--json").document["rules"]) == len(rows)


def test_one_rule_is_found_by_number_and_by_name() -> None:
    """With its remedy; an unknown one is refused."""
    by_number = done("rulebook", "5004", "--json").document
    assert by_number == done("rulebook", "BLOCK_RESERVED", "--json").document
    assert by_number["remedy"]
    assert f"remedy\t{by_number['remedy']}" in done("rulebook", "5004").out
    assert "no rule '9999'" in refused("rulebook", "9999")


def test_alerts_are_shown_newest_first(sqlite_url: str) -> None:
    """A note to the hub asks for attention; as many as asked for."""
    world = World(Database(sqlite_url))
    for subject in ("first", "second"):
        world.say(
            "THA01", HUB, ("administrator.note", {"subject": subject, "text": "Please call."})
        )
    shown = done("alerts", "--json", "--database", sqlite_url).document
    assert {row["detail"] for row in shown} == {"first", "second"}
    assert len(done("alerts", "--limit", "1", "--json", "--database", sqlite_url).document) == 1
