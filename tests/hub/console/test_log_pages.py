"""The log's pages: checkpoints, witnesses and quorums in words, entries, and proofs to verify."""

import base64
import json
from datetime import timedelta

import pytest

from hub.services import log_standing
from hub.services.collect_cosignatures import Policies
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.policies import Policy
from hub.transparency_log.proofs import verify_consistency, verify_inclusion
from tests.hub.console.console_world import ConsoleWorld, serve_console
from tests.hub.log_world import Witness, grow, log_keys, policy_text, published
from tests.integration.peers import now


def _cosign(database: Database, checkpoint: StoredCheckpoint, *witnesses: Witness) -> None:
    """Store what witnesses say of a checkpoint."""
    found = [
        StoredCosignature(
            checkpoint.size, one.name, one.key.key_id.hex(), one.cosign(checkpoint.note), now()
        )
        for one in witnesses
    ]
    with database.writing() as connection:
        log_checkpoints.add_cosignatures(connection, found)


def _newest(database: Database) -> StoredCheckpoint:
    with database.reading() as connection:
        found = log_checkpoints.newest(connection)
    assert found is not None
    return found


async def test_the_log_says_its_origin_key_and_checkpoints(console: ConsoleWorld) -> None:
    """The public key is found by the id that the checkpoint names."""
    page = await console.get("/log")
    assert page.status == 200, page.text
    newest = _newest(console.database)
    assert log_keys().origin in page.text
    assert (
        log_keys().vkeys[0].replace("+", "&#43;") in page.text or log_keys().vkeys[0] in page.text
    )
    assert newest.root.hex() in page.text
    assert "No witness is configured" in page.text
    assert "goes on" in page.text


async def test_witnesses_and_quorums_are_told_in_words(seeded: Database) -> None:
    """Who cosigned and when; who is late, who is missing, and what the quorum lacks."""
    good, late, gone = Witness("good.example"), Witness("late.example"), Witness("gone.example")
    old = published(seeded, 3)
    _cosign(seeded, old, late)
    newest = published(seeded, 3)
    _cosign(seeded, newest, good)
    policy = Policy.parse(policy_text(good, late, gone, threshold=2))
    later = now() + timedelta(minutes=10)
    async with serve_console(seeded, policies=Policies(policy), clock=lambda: later) as console:
        page = await console.get("/log")
    for word in ("cosigns", "late", "missing"):
        assert f">{word}</span>" in page.text
    assert "all-of-them" in page.text
    assert "1 of the 2 it needs" in page.text.replace("&#39;", "'")
    assert page.text.count("good.example") >= 3


async def test_a_halted_log_says_why_and_what_to_do(console: ConsoleWorld) -> None:
    """The cause as it was recorded, the remedy as the operator's guide has it."""
    with console.database.writing() as connection:
        log_standing.halt(
            connection,
            kind=log_standing.BEHIND_WITNESS,
            subject="w.example",
            detail="witness w.example cosigned 99 entries <b>",
            at=now(),
            size=99,
        )
    page = await console.get("/log")
    assert "The log is halted" in page.text
    assert "witness w.example cosigned 99 entries &lt;b&gt;" in page.text
    assert "itmo-hub log accept-loss" in page.text


async def test_checkpoints_come_in_pages(console: ConsoleWorld) -> None:
    """The newest first; the next page begins below the last one shown."""
    sizes = [published(console.database, 1).size for _ in range(30)]
    page = await console.get("/log")
    below = sizes[-25]
    assert f"/log?below={below}" in page.text
    older = await console.get(f"/log?below={below}")
    assert f'/log/entries/{sizes[-26] - 1}"' in older.text
    assert (await console.get("/log?below=x")).status == 400


async def test_the_checkpoint_is_served_as_it_is_signed(console: ConsoleWorld) -> None:
    """With the signature of the log's key, as plain text."""
    page = await console.get("/log/checkpoint")
    assert page.headers["Content-Type"].startswith("text/plain")
    checkpoint, note = read_checkpoint(page.text)
    assert checkpoint.size == _newest(console.database).size
    assert len(note.signatures) == 1


async def test_the_proof_of_consistency_verifies_by_its_own_rules(console: ConsoleWorld) -> None:
    """Between any two trees that were published; sizes are texts."""
    first = _newest(console.database)
    second = published(console.database, 700)
    page = await console.get(f"/log/consistency?from={first.size}&to={second.size}")
    document = json.loads(page.text)
    assert (document["from"], document["to"]) == (str(first.size), str(second.size))
    hashes = [base64.b64decode(one) for one in document["hashes"]]
    verify_consistency(first.size, second.size, first.root, second.root, hashes)


@pytest.mark.parametrize(
    "query", ["", "from=1", "from=x&to=2", "from=2&to=1", "from=1&to=999999999", "from=-1&to=1"]
)
async def test_what_is_no_proof_is_refused_with_the_remedy(
    console: ConsoleWorld, query: str
) -> None:
    """As a document that a script can tell."""
    page = await console.get(f"/log/consistency?{query}")
    assert page.status == 400
    assert set(json.loads(page.text)) == {"detail", "remedy"}


async def test_an_entry_is_shown_with_what_proves_it(console: ConsoleWorld) -> None:
    """Kind, parties and commitments; leaf, hashes and checkpoint; a way on to the envelope."""
    page = await console.get("/log/entries/3")
    assert page.status == 200, page.text
    begin = page.text.index('id="entry-proof">') + len('id="entry-proof">')
    proof = json.loads(page.text[begin : page.text.index("</script>", begin)])
    data = base64.b64decode(proof["data"])
    checkpoint, _ = read_checkpoint(proof["note"])
    hashes = [base64.b64decode(one) for one in proof["proof"]]
    verify_inclusion(3, checkpoint.size, leaf_hash(data), hashes, checkpoint.root)
    assert proof["leaf"] == leaf_hash(data).hex()
    assert proof["leaf"] in page.text


async def test_entries_of_each_kind_are_read(console: ConsoleWorld) -> None:
    """From the genesis on; an entry no checkpoint covers yet is told so."""
    size = _newest(console.database).size
    for index in range(size):
        page = await console.get(f"/log/entries/{index}")
        assert page.status == 200, page.text
    assert "beginning of the log" in (await console.get("/log/entries/0")).text
    grow(console.database, 1)
    page = await console.get(f"/log/entries/{size}")
    assert "No published checkpoint covers the entry yet" in page.text


@pytest.mark.parametrize("index", ["99999", "x", "-1", "9" * 40, "9223372036854775808", "%C2%B2"])
async def test_an_entry_that_is_not_there_is_not_found(console: ConsoleWorld, index: str) -> None:
    """Whatever the address says."""
    assert (await console.get(f"/log/entries/{index}")).status == 404


async def test_a_console_without_a_checkpoint_says_so(seeded: Database) -> None:
    """Nothing is served that no checkpoint covers."""
    with seeded.writing() as connection:
        connection.exec_driver_sql("DELETE FROM log_checkpoint")
    async with serve_console(seeded) as console:
        page = await console.get("/log")
        assert "none is published yet" in page.text
        assert (await console.get("/log/checkpoint")).status == 404


async def test_a_key_of_another_log_is_not_named(seeded: Database) -> None:
    """The console names no key that the newest checkpoint does not name."""
    async with serve_console(seeded, origin="other.example/log") as console:
        page = await console.get("/log")
    facts = page.text.split('id="log-facts">')[1].split("</script>")[0]
    assert json.loads(facts)["vkeys"] == []
