"""``itmo-hub retention …``: what is older is counted, then erased, and told in both forms."""

from pathlib import Path

from sqlalchemy import text

from hub.store.database import Database
from tests.hub.commands.runner import done, refused
from tests.hub.services.test_erase_bodies import deliver_everything
from tests.hub.world import World

DAYS = "retention_days = 30\n"


def old_world(sqlite_url: str) -> World:
    """Return a world whose one settled transfer is a year old."""
    world = World(Database(sqlite_url))
    world.begin()
    world.transfer("THA01-1", 1, 100)
    for code in ("THA01", "CHE01"):
        deliver_everything(world, code)
    with world.database.writing() as connection:
        year = 365 * 86_400_000
        connection.execute(text(f"UPDATE envelope SET received_at = received_at - {year}"))
        connection.execute(text(f"UPDATE delivery SET acknowledged_at = acknowledged_at - {year}"))
    return world


def test_nothing_is_erased_unless_a_time_of_retention_is_set(sqlite_url: str) -> None:
    """The default is for ever; a run says which setting is missing."""
    old_world(sqlite_url)
    assert done("retention", "show", "--database", sqlite_url).lines[1] == ["for ever", "0", "0"]
    assert "retention_days" in refused("retention", "run", "--database", sqlite_url)


def test_old_bodies_are_counted_and_then_erased(sqlite_url: str, tmp_path: Path) -> None:
    """A dry run changes nothing; a run erases as many as it said; a second one finds nothing."""
    world = old_world(sqlite_url)
    settings = tmp_path / "hub.toml"
    settings.write_text(DAYS)
    words = ("--database", sqlite_url, "--config", str(settings))
    shown = done("retention", "show", *words, "--json").document[0]
    envelopes, deliveries = shown["older_envelopes"], shown["older_deliveries"]
    assert envelopes > 3
    assert deliveries > 1
    counts = {"envelopes": envelopes, "deliveries": deliveries}
    tried = done("retention", "run", "--dry-run", *words, "--json").document
    assert tried == {"dry_run": True, **counts}
    assert done("retention", "run", *words).lines == [
        [f"{envelopes} envelopes, {deliveries} deliveries", "erased"]
    ]
    again = done("retention", "run", *words, "--json").document
    assert again == {"dry_run": False, "envelopes": 0, "deliveries": 0}
    shown_transfer = done("transfer", "show", "THA01-1", "--database", sqlite_url)
    assert "(erased)" in shown_transfer.out
    world.prove()


def test_a_time_of_retention_below_a_week_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """Too short a time would take from the partners what they still work with."""
    settings = tmp_path / "hub.toml"
    settings.write_text("retention_days = 3\n")
    text_ = refused("retention", "show", "--database", sqlite_url, "--config", str(settings))
    assert "retention_days" in text_
