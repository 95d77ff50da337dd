"""``itmo-hub administrator …`` and signed acts, as administrators do them at their keyboards."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.database import Database
from tests.hub.commands.runner import Said, done, key_document, misused, refused, run
from tests.hub.world import World

PASSPHRASE = {"PASSPHRASE": "twelve characters or more"}
GENERATE = (
    "keys",
    "generate",
    "--participant",
    "XHB01",
    "--passphrase-env",
    "PASSPHRASE",
    "--json",
)


@dataclass(frozen=True, slots=True)
class Hand:
    """An administrator at a keyboard: a name, a key file, and the database to work on."""

    name: str
    uri: str
    proof: str
    key_id: str
    database: str

    @property
    def options(self) -> tuple[str, ...]:
        """Who acts, as options."""
        return ("--as", self.name, "--signer", self.uri, "--database", self.database)

    @property
    def environment(self) -> dict[str, str]:
        """Who acts, as the environment says it."""
        return PASSPHRASE | {
            "ITMO_HUB_ADMINISTRATOR": self.name,
            "ITMO_HUB_ADMINISTRATOR_SIGNER": self.uri,
        }

    def done(self, *words: str) -> Said:
        """Run a command that must succeed."""
        return done(*words, *self.options, **PASSPHRASE)

    def refused(self, *words: str) -> str:
        """Run a command that must be refused."""
        return refused(*words, *self.options, **PASSPHRASE)

    def proposes(self, *words: str) -> str:
        """Propose an act; return the proposal's id."""
        ((word, proposal_id, *_),) = self.done(*words, "--propose").lines
        assert word == "proposed"
        return proposal_id


def hand(folder: Path, name: str, database: str) -> Hand:
    """Make a key as an administrator does."""
    words = (
        "--participant",
        "XHB01",
        "--out",
        str(folder / name),
        "--passphrase-env",
        "PASSPHRASE",
    )
    made = done("keys", "generate", *words, "--json", **PASSPHRASE).document
    return Hand(name, made["uri"], made["proof"], made["key_id"], database)


@pytest.fixture
def hands(sqlite_url: str, tmp_path: Path) -> tuple[Hand, Hand, Hand]:
    """Return three people with keys; the first two are administrators."""
    alice, bob, carol = (hand(tmp_path, name, sqlite_url) for name in ("alice", "bob", "carol"))
    add = ("administrator", "add")
    done(*add, "alice", alice.proof, "--reason", "the first", "--database", sqlite_url)
    alice.done(*add, "bob", bob.proof, "--reason", "the second")
    return alice, bob, carol


def state_of(hand: Hand, code: str) -> str:
    """Return a participant's state, from the list."""
    rows = done("participant", "list", "--json", "--database", hand.database).document
    return str({row["code"]: row for row in rows}[code]["state"])


def test_administrators_are_appointed_listed_and_removed(hands: tuple[Hand, Hand, Hand]) -> None:
    """The first by the operator, the second by the first, the third and removals by two."""
    alice, bob, carol = hands
    listing = ("administrator", "list", "--json", "--database", alice.database)
    assert [row["name"] for row in done(*listing).document] == ["alice", "bob"]
    words = ("administrator", "add", "carol", carol.proof, "--reason", "the third")
    assert "--propose" in alice.refused(*words)
    proposal_id = alice.proposes(*words)
    (line,) = bob.done("administrator", "approve", proposal_id).lines
    assert (line[0], line[2:]) == ("done", ["administrator.add", "carol"])
    proposal_id = carol.proposes("administrator", "remove", "alice", "--reason", "left")
    bob.done("administrator", "approve", proposal_id)
    rows = done(*listing).document
    assert [(row["name"], row["key_id"]) for row in rows] == [
        ("bob", bob.key_id),
        ("carol", carol.key_id),
    ]
    every = done(*listing, "--all").document
    assert [row["name"] for row in every if row["removed_at"]] == ["alice"]
    stop = ("participant", "suspend", "CHE01", "--reason", "x")
    assert "not the key of an administrator" in alice.refused(*stop)


def test_an_administrator_has_a_role_that_is_listed_and_limits_what_the_key_signs(
    hands: tuple[Hand, Hand, Hand],
) -> None:
    """``--role``; another one than the three is refused, and so is an act beyond it."""
    alice, bob, carol = hands
    words = ("administrator", "add", "carol", carol.proof, "--reason", "works the cases")
    assert "officer, operator" in alice.refused(*words, "--role", "viewer", "--propose")
    proposal_id = alice.proposes(*words, "--role", "officer")
    bob.done("administrator", "approve", proposal_id)
    rows = done("administrator", "list", "--json", "--database", alice.database).document
    assert {row["name"]: row["role"] for row in rows} == {
        "alice": "administrator",
        "bob": "administrator",
        "carol": "officer",
    }
    refusal = carol.refused("participant", "suspend", "CHE01", "--reason", "x")
    assert "carol has the role officer" in refusal
    assert "(operator, administrator)" in refusal


def test_every_act_is_signed_by_options_or_by_the_environment(
    hands: tuple[Hand, Hand, Hand],
) -> None:
    """Without a key the refusal names rule and remedy; a wrong name or key is refused."""
    alice, bob, carol = hands
    stop = ("participant", "suspend", "CHE01", "--reason", "a stolen key")
    database = ("--database", alice.database)
    for options in ((), ("--as", "alice"), ("--signer", alice.uri)):
        said = refused(*stop, *options, *database, **PASSPHRASE)
        assert "alice, bob" in said
        assert "--as NAME and --signer URI" in said
        assert "ITMO_HUB_ADMINISTRATOR_SIGNER" in said
    said = refused(*stop, "--as", "bob", "--signer", alice.uri, *database, **PASSPHRASE)
    assert "with the key of alice" in said
    assert "not the key of an administrator" in carol.refused(*stop)
    assert state_of(alice, "CHE01") == "active"
    assert done(*stop, *database, **alice.environment).lines == [["CHE01", "suspended"]]
    again = ("participant", "activate", "CHE01")
    assert bob.done(*again).lines == [["CHE01", "active"]]


def test_each_command_signs(hands: tuple[Hand, Hand, Hand], tmp_path: Path) -> None:
    """What one may do, one does; what takes two is proposed by the one and done by the other."""
    alice, bob, _ = hands
    world = World(Database(alice.database))
    world.begin()
    world.transfer("THA01-1", 1, 9)
    units = "CA0001-THA01-THA-3-2022..CA0001-THA01-THA-5-2022"
    why = ("--reason", "a test")
    for words in (
        ("account", "open", "CHE-1", "--party", "CHE"),
        ("account", "status", "CHE-1", "suspended", *why),
        ("participant", "deliver", "CHE01", "--pull"),
        ("suspension", "place", "pair", "CHE01/THA01", *why),
        ("suspension", "lift", "pair", "CHE01/THA01", *why),
        ("suspension", "place", "block", units, *why),
        ("suspension", "place", "hub", "*", *why),
    ):
        alice.done(*words)
    key = str(key_document(tmp_path, "CHE01", "new"))
    of_two: tuple[tuple[str, ...], ...] = (
        ("participant", "add", "PER01", "--key", str(key_document(tmp_path, "PER01"))),
        ("participant", "key-add", key, *why),
        ("participant", "close", "GHA01", *why),
        ("suspension", "lift", "block", units, *why),
        ("ledger", "correct", units, "--from", "CHE01", "--to", "THA01", *why),
        ("suspension", "lift", "hub", "*", *why),
    )
    for asked in of_two:
        assert "takes two administrators" in alice.refused(*asked)
        bob.done("administrator", "approve", alice.proposes(*asked))
    world.prove()
    acts = done("act", "list", "--json", "--database", alice.database).document
    assert [row["statements"] for row in acts[:2]] == ["signed by 2", "signed by 1"]
    assert not [row for row in acts if row["statements"].startswith("WRONG")]


def test_a_proposal_is_looked_at_before_it_is_decided(hands: tuple[Hand, Hand, Hand]) -> None:
    """Listed, shown whole, rejected with a reason; nobody approves their own, or twice."""
    alice, bob, _ = hands
    database = ("--database", alice.database)
    words = ("participant", "close", "CHE01", "--reason", "left the agreement")
    first, second = alice.proposes(*words), alice.proposes(*words)
    listing = ("administrator", "proposals", "--json", *database)
    rows = done(*listing).document
    assert [(row["proposal"], row["state"]) for row in rows] == [
        (first, "proposed"),
        (second, "proposed"),
    ]
    assert {row["reason"] for row in rows} == {"left the agreement"}
    shown = done("administrator", "proposal", first, *database).document
    assert (shown["kind"], shown["subject"], shown["proposed_by"]) == (
        "participant.close",
        "CHE01",
        "alice",
    )
    assert shown["parameters"] == {"state": "closed"}
    assert "another administrator" in alice.refused("administrator", "approve", first)
    assert "--reason" in misused("administrator", "reject", first)
    bob.done("administrator", "reject", first, "--reason", "it did not")
    assert "rejected by bob" in bob.refused("administrator", "approve", first)
    bob.done("administrator", "approve", second)
    assert "executed by bob" in bob.refused("administrator", "approve", second)
    assert state_of(alice, "CHE01") == "closed"
    assert done(*listing).document == []
    states = {row["proposal"]: row["state"] for row in done(*listing, "--all").document}
    assert states == {first: "rejected", second: "executed"}
    assert "no proposal" in bob.refused("administrator", "approve", "nonsense")


def test_the_time_to_approve_is_a_setting(hands: tuple[Hand, Hand, Hand], tmp_path: Path) -> None:
    """A proposal older than the setting says has lapsed."""
    alice, bob, _ = hands
    close = ("participant", "close", "CHE01", "--reason", "left")
    proposal_id = alice.proposes(*close)
    time.sleep(1.1)
    words = ("administrator", "approve", proposal_id, *bob.options)
    said = refused(*words, **PASSPHRASE, ITMO_HUB_PROPOSAL_SECONDS_MAX="1")
    assert "has lapsed" in said
    done(*words, **PASSPHRASE, ITMO_HUB_PROPOSAL_SECONDS_MAX="600")


def test_an_act_is_shown_with_its_document_and_its_statements(
    hands: tuple[Hand, Hand, Hand],
) -> None:
    """For people and for machines; an entry that is no act is refused."""
    alice, bob, _ = hands
    database = ("--database", alice.database)
    words = ("participant", "close", "CHE01", "--reason", "left")
    ((_, log_index, *_),) = bob.done("administrator", "approve", alice.proposes(*words)).lines
    shown = done("act", "show", log_index, "--json", *database).document
    assert shown["document"]["format"] == "itmo-act/1"
    assert (shown["document"]["eyes"], shown["verdict"]) == (2, "signed by 2")
    assert [one["actor"] for one in shown["statements"]] == ["alice", "bob"]
    assert json.loads(json.dumps(shown["document"]["detail"])) == {"state": "closed"}
    lines = done("act", "show", log_index, *database).lines
    assert ["reason", "left"] in lines
    said = [line for line in lines if line[0] == "statement"]
    assert [(line[1], line[2], line[5]) for line in said] == [
        ("propose", "alice", "verified"),
        ("approve", "bob", "verified"),
    ]
    assert "there is no act at log index 0" in refused("act", "show", "0", *database)


def test_a_forged_act_ends_with_status_one(hands: tuple[Hand, Hand, Hand]) -> None:
    """It is shown all the same, and said to be wrong."""
    alice, _, _ = hands
    alice.done("participant", "suspend", "CHE01", "--reason", "x")
    database = ("--database", alice.database)
    assert done("act", "check", *database).out == "every act holds\n"
    opened = Database(alice.database)
    with opened.writing() as connection:
        connection.execute(text("UPDATE act SET reason = 'y' WHERE reason = 'x'"))
    newest = done("act", "list", "--limit", "1", "--json", *database).document[0]
    assert newest["statements"].startswith("WRONG")
    said = run("act", "show", str(newest["log_index"]), *database)
    assert said.status == 1
    assert "differs from its document" in said.out
    proof = run("act", "check", *database)
    assert proof.status == 1
    assert [line[:25] for line in proof.out.splitlines()] == [
        f"the act at log index {newest['log_index']}: "[:25]
    ]


def test_what_is_no_administrators_key_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """A participant's key, one made for a participant, one that ends, nonsense."""
    database = ("--reason", "x", "--database", sqlite_url)
    add = ("administrator", "add", "alice")
    (tmp_path / "nonsense").write_text("nonsense")
    assert "participant" in refused(*add, str(key_document(tmp_path, "PER01")), *database)
    hubs = key_document(tmp_path, "XHB01")
    assert "signs messages of XHB01" in refused(*add, str(hubs), *database)
    assert refused(*add, str(tmp_path / "nonsense"), *database)
    assert "missing" in refused(*add, str(tmp_path / "missing"), *database)
    words = (
        "--participant",
        "XHB01",
        "--out",
        str(tmp_path / "k"),
        "--passphrase-env",
        "PASSPHRASE",
    )
    ending = ("--valid-until", "2099-01-01T00:00:00Z", "--json")
    made = done("keys", "generate", *words, *ending, **PASSPHRASE).document
    assert "without --valid-until" in refused(*add, made["proof"], *database)


def test_before_the_first_administrator_a_key_in_the_environment_does_no_harm(
    sqlite_url: str, tmp_path: Path
) -> None:
    """It is not used; nothing is proposed to nobody."""
    alice = hand(tmp_path, "alice", sqlite_url)
    stop = ("participant", "suspend", "CHE01", "--reason", "x", "--database", sqlite_url)
    said = refused(*stop, "--propose", **alice.environment)
    assert "no second administrator" in said
    done(*stop, **alice.environment)
    newest = done("act", "list", "--limit", "1", "--json", "--database", sqlite_url).document[0]
    assert (newest["actor"], newest["statements"]) == ("alice", "unsigned")
