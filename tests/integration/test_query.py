"""Pull and view with real processes: a hub, a command that asks it, a mechanism registry."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from hub.protocol.response_codes import ResponseCode
from keys.documents import render_document
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from tests.connectors.mechanism_registry.books import Row, held
from tests.hub.commands.runner import Said, run
from tests.integration.hub_process import HubUnderTest, hub_key_variable
from tests.integration.peers import (
    Body,
    Peer,
    acceptance,
    now,
    payload_of,
    proposal,
    seeded_signer,
    seeded_xml_signer,
)
from tests.integration.worlds import codes, fresh_block, fresh_id, mailbox, record_world

XML_KEYS = ("XHB01", "CHE01")


def key_file(folder: Path, signer: LocalSigner) -> str:
    """Write the hub's public key as it is handed over by hand, and return where."""
    key = PublicKey.from_der("XHB01", signer.public_key_der)
    path = folder / f"{key.key_id}.json"
    path.write_bytes(render_document(KeyRecord.of(key, now())))
    return str(path)


def asked(hub: HubUnderTest, folder: Path, *words: str, binding: str = "json") -> Said:
    """Ask the hub as Switzerland, by the command."""
    signer = seeded_xml_signer("CHE01") if binding == "xml" else seeded_signer("CHE01")
    of_hub = seeded_xml_signer("XHB01") if binding == "xml" else seeded_signer("XHB01")
    return run(
        *("query", *words, "--hub", hub.address, "--participant", "CHE01"),
        *("--key", "env:QUERY_KEY", "--hub-key", key_file(folder, of_hub)),
        *("--binding", binding, "--json"),
        QUERY_KEY=hub_key_variable(signer),
    )


async def test_the_command_asks_a_hub_in_either_binding(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, tmp_path: Path
) -> None:
    """Signed, answered, verified: the same rows in both; no word of a hub that is not known."""
    await record_world(thailand)
    transfer_id, units = fresh_id("THA01"), fresh_block(9)
    proposed = await thailand.say("CHE01", proposal(transfer_id, units))
    await switzerland.say("THA01", acceptance(transfer_id, proposed["envelope_sha256"]))
    told: list[Any] = []
    for binding in ("json", "xml"):
        held_ = await asyncio.to_thread(asked, hub, tmp_path, "holdings", binding=binding)
        moved = await asyncio.to_thread(
            asked, hub, tmp_path, "history", "--transfer", transfer_id, binding=binding
        )
        assert (held_.status, moved.status) == (0, 0), (held_, moved)
        told.append((held_.document["items"], moved.document["items"]))
    assert told[0] == told[1]
    assert [row["quantity"] for row in told[0][0]] == [9]
    assert [row["kind"] for row in told[0][1]] == ["introduced", "reserved", "moved"]
    stranger = key_file(tmp_path, seeded_signer("XHB01", "somebody"))
    said = await asyncio.to_thread(
        run,
        *("query", "holdings", "--hub", hub.address, "--participant", "CHE01"),
        *("--key", "env:QUERY_KEY", "--hub-key", stranger),
        QUERY_KEY=hub_key_variable(seeded_signer("CHE01")),
    )
    assert said.status == 1
    assert "not believed" in said.err


async def test_a_query_goes_to_the_hub_or_to_the_mechanism_registry(
    hub: HubUnderTest, thailand: Peer, http: Any
) -> None:
    """Nobody else takes it; to the mechanism registry it is recorded, with limits of its own."""
    query = ("holdings.query", {"items_max": 1})
    refused = await thailand.say("CHE01", query)
    assert codes(refused) == [ResponseCode.RECIPIENT_NOT_FOR_TYPE]
    assert refused["log_index"] is not None
    recorded = await thailand.say("XMR01", query)
    assert recorded["outcomes"][0]["result"] == {"state": "forwarded"}
    assert recorded["log_index"] is not None
    mechanism = Peer("XMR01", hub.address, http)
    assert codes(await mechanism.say("XMR01", query)) == [ResponseCode.SENDER_IS_RECIPIENT]
    unknown = ("history.query", {"items_max": 1, "transfer_id": "XMR01-999"})
    assert codes(await thailand.say("XMR01", unknown)) == [0]
    fetch = ("mailbox.fetch", {"after_sequence": 0, "wait_seconds": 0})
    assert set(codes(await thailand.say("XMR01", query, fetch))) == {ResponseCode.ENVELOPE_MIXED}
    many = await thailand.say("XMR01", *[query] * 11)
    assert set(codes(many)) == {ResponseCode.PAYLOAD_NOT_AN_ENVELOPE}
    answer = {
        "query_message_id": "01970a3c-7c55-7d31-8a6e-3f0d7c2b9a11",
        "previous_sha256": "0" * 64,
        "as_of": "2026-11-22T09:30:00.000Z",
        "items": [],
    }
    forged = await thailand.say("CHE01", ("holdings.answer", answer))
    assert codes(forged) == [ResponseCode.SENDER_ROLE_NOT_ALLOWED]


def write_connector(hub: HubUnderTest, folder: Path, rows: list[Row]) -> Path:
    """Write the mechanism connector's settings and its export; return the settings."""
    (folder / "books.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "mechanism.toml"
    path.write_text(
        f"""hub_url = "{hub.address}"
hub_keys = ["{key_file(folder, seeded_signer("XHB01"))}"]
signing_keys = ["env:XMR01_KEY"]
log_seconds = 0

[views]
holdings = "books.jsonl"
""",
        encoding="utf-8",
    )
    return path


def said_to(items: list[Body]) -> list[Body]:
    """Return the bodies of all messages in mailbox items."""
    raws = [item["envelope"].encode() for item in items if "envelope" in item]
    envelopes = [payload_of(raw, "itmo-envelope+jws") for raw in raws]
    return [message["body"] for envelope in envelopes for message in envelope["messages"]]


async def test_the_mechanism_registry_answers_through_the_hub(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, tmp_path: Path
) -> None:
    """Each asker gets what is its own, signed by the mechanism registry, in its mailbox."""
    rows = [held(1, 100, "THA", "CHE"), held(101, 150, "THA", "GHA"), held(1, 5, "GHA", "GHA")]
    config = write_connector(hub, tmp_path, rows)
    before = {peer.code: len(await mailbox(peer)) for peer in (thailand, switzerland)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors.mechanism_registry.cli", "serve"),
        *("--config", str(config)),
        env={"XMR01_KEY": hub_key_variable(seeded_signer("XMR01")), "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        asking = {
            peer.code: await peer.say("XMR01", ("holdings.query", {"items_max": 9}))
            for peer in (thailand, switzerland)
        }
        seen: dict[str, Body] = {}
        async with asyncio.timeout(20):
            while len(seen) < 2:
                for peer in (thailand, switzerland):
                    wanted = asking[peer.code]["envelope_sha256"]
                    for body in said_to((await mailbox(peer))[before[peer.code] :]):
                        if body.get("previous_sha256") == wanted:
                            seen[peer.code] = body
                await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    runs = {
        code: [(row["first_serial"], row["last_serial"]) for row in body["items"]]
        for code, body in seen.items()
    }
    assert runs == {"THA01": [(1, 100), (101, 150)], "CHE01": [(1, 100)]}
