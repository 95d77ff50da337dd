"""``itmo-hub transfer …``: the list, and one transfer with all that was said and moved."""

from hub.store.database import Database
from tests.hub.commands.runner import done, refused
from tests.hub.world import World
from tests.integration.peers import block, proposal


def test_transfers_are_listed_and_filtered(sqlite_url: str) -> None:
    """The newest first; by participant, by state, as many as asked for."""
    world = World(Database(sqlite_url))
    world.begin()
    world.transfer("THA01-1", 1, 9)
    world.propose("THA01-2", 10, 19)

    def listed(*words: str) -> list[str]:
        rows = done("transfer", "list", "--json", *words, "--database", sqlite_url).document
        return [row["transfer"] for row in rows]

    assert listed() == ["THA01-2", "THA01-1"]
    assert listed("--limit", "1") == ["THA01-2"]
    assert listed("--participant", "CHE01", "--state", "completed") == ["THA01-1"]
    assert listed("--participant", "GHA01") == []
    assert listed("--state", "nonsense") == []


def test_one_transfer_is_shown_with_its_messages_and_postings(sqlite_url: str) -> None:
    """Who said what when, with which answer, and what moved because of it."""
    world = World(Database(sqlite_url))
    world.begin()
    world.transfer("THA01-1", 1, 9)
    show = ("transfer", "show", "THA01-1", "--database", sqlite_url)
    document = done(*show, "--json").document
    assert (document["state"], document["quantity"]) == ("completed", 9)
    assert [(one["sender"], one["type"]) for one in document["timeline"]] == [
        ("THA01", "transfer.proposal"),
        ("CHE01", "transfer.acknowledgement"),
    ]
    assert {one["outcome"] for one in document["timeline"]} == {"accepted (OK)"}
    assert [one["kind"] for one in document["postings"]] == ["introduced", "reserved", "moved"]
    text = done(*show).out
    for expected in ("state\tcompleted", "transfer.proposal", "moved\t1..9\tTHA01 -> CHE01"):
        assert expected in text


def test_a_transfer_said_in_xml_is_shown_like_any_other(xml_url: str, xml_world: World) -> None:
    """One end in XML, the other in JSON; the stored receipts are in their bindings too."""
    xml_world.peers["THA01"] = xml_world.peers["THA01"].in_xml
    xml_world.begin()
    xml_world.transfer("THA01-1", 1, 9)
    document = done("transfer", "show", "THA01-1", "--json", "--database", xml_url).document
    assert [(one["type"], one["outcome"]) for one in document["timeline"]] == [
        ("transfer.proposal", "accepted (OK)"),
        ("transfer.acknowledgement", "accepted (OK)"),
    ]
    assert document["timeline"][0]["body"]["quantity"] == 9
    again = xml_world.say("THA01", "CHE01", proposal("THA01-1", block(1, 9)))
    assert [one["outcome"] for one in again["outcomes"]] == ["duplicate-of"]


def test_a_transfer_in_flight_has_no_end_yet(sqlite_url: str) -> None:
    """Only the proposal stands in its timeline."""
    world = World(Database(sqlite_url))
    world.begin()
    world.propose("THA01-1", 1, 9)
    show = ("transfer", "show", "THA01-1", "--json", "--database", sqlite_url)
    document = done(*show).document
    assert document["closed_at"] is None
    assert len(document["timeline"]) == 1


def test_a_transfer_nobody_proposed_is_refused(sqlite_url: str) -> None:
    """By its id, in one line."""
    said = refused("transfer", "show", "THA01-9", "--database", sqlite_url)
    assert "no transfer THA01-9" in said
