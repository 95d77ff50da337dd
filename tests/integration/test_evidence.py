"""Evidence with real processes: a hub that serves, registries that witness, an auditor alone."""

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text
from typer.main import get_command

from hub.cli import app
from hub.demo.chapters import agree, connect, expire, reject, transfer_first
from hub.demo.command_line import CommandLine, CommandRefusedError
from hub.demo.evidence_chapter import Auditor
from hub.demo.processes import Processes
from hub.demo.screen import Screen
from hub.demo.stage import Stage
from hub.demo.world import World
from hub.evidence import standalone
from hub.evidence.archives import read_archive
from hub.store.database import Database
from tests.hub.evidence.test_standalone import replaced
from tests.hub.evidence.test_xml import flipped, wrapped
from tests.integration.conftest import StartHub, new_database_url
from tests.integration.hub_process import HubUnderTest, hub_key_variable, register
from tests.integration.peers import Peer, acceptance, block, proposal, seeded_xml_signer
from tests.integration.test_two_bindings import hello
from tests.integration.worlds import acknowledgement, codes, fetched, record_world

pytestmark = pytest.mark.slow
TRANSFER = "THA01-77"


def command(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``itmo-hub evidence …`` in a process of its own beside a hub."""
    environment = {"HUB_KEY": hub_key_variable(), "ITMO_HUB_SIGNERS": '["env:HUB_KEY"]'}
    return subprocess.run(
        [sys.executable, "-m", "hub", "evidence", *arguments, "--database", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environment, "PATH": ""},
    )


def auditor(url: str, folder: Path) -> Auditor:
    """Return an auditor with the stand-alone script and the hub's anchor."""
    script, anchor = folder / "verify_evidence.py", folder / "anchor.json"
    done = command(url, "anchor", "-o", str(anchor), "--participants")
    assert done.returncode == 0, done.stderr
    script.write_text(standalone.script(), encoding="utf-8")
    return Auditor(script, anchor)


async def trade(thailand: Peer, switzerland: Peer) -> None:
    """Play a transfer to its last acknowledgement."""
    await record_world(thailand)
    receipt = await thailand.say("CHE01", proposal(TRANSFER, block(501, 700)))
    await take(switzerland, 0)
    await switzerland.say("THA01", acceptance(TRANSFER, receipt["envelope_sha256"]))
    await take(thailand, 0)
    await take(switzerland, 1)


async def take(peer: Peer, after: int) -> None:
    """Fetch the delivery after an item, and acknowledge it."""
    raw = await fetched(peer, after, wait_seconds=5)
    assert raw is not None
    await peer.say("XHB01", acknowledgement(raw))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def traded(
    request: pytest.FixtureRequest, tmp_path: Path, hubs: StartHub, http: Any
) -> HubUnderTest:
    """Run a hub in which one transfer was completed."""
    url = new_database_url(request, request.param, tmp_path)
    register(url)
    hub = await hubs(url)
    await trade(Peer("THA01", hub.address, http), Peer("CHE01", hub.address, http))
    return hub


async def test_a_transfer_through_a_real_hub_is_proved_by_the_script_alone(
    traded: HubUnderTest, tmp_path: Path
) -> None:
    """Exported beside the running hub; after kill -9 the same export says the same."""
    file = tmp_path / "transfer.zip"
    done = command(traded.database_url, "export", TRANSFER, "-o", str(file))
    assert done.returncode == 0, done.stderr
    outside = auditor(traded.database_url, tmp_path)
    report = outside.report(file)
    assert (report["verdict"], report["outcome"]) == ("proved", "completed"), report
    await traded.kill()
    again = tmp_path / "again.zip"
    assert command(traded.database_url, "export", TRANSFER, "-o", str(again)).returncode == 0
    assert outside.report(again)["findings"] == report["findings"]


async def test_a_hub_that_swaps_a_body_proves_nothing_with_it(
    traded: HubUnderTest, tmp_path: Path
) -> None:
    """Another proposal's bytes in the hub's database do not open the log's commitment."""
    outside = auditor(traded.database_url, tmp_path)
    file = tmp_path / "transfer.zip"
    assert command(traded.database_url, "export", TRANSFER, "-o", str(file)).returncode == 0
    await traded.kill()
    forged = Peer("THA01", "", None).envelope("CHE01", proposal(TRANSFER, block(501, 701)))  # type: ignore[arg-type]  # this peer only signs
    database = Database(traded.database_url)
    with database.writing() as connection:
        connection.execute(
            text(
                "UPDATE envelope SET body = :body, sha256 = :sha256 WHERE log_index = "
                "(SELECT proposed_log_index FROM transfer WHERE transfer_id = :id)"
            ),
            {"body": forged, "sha256": hashlib.sha256(forged).hexdigest(), "id": TRANSFER},
        )
    database.dispose()
    assert command(traded.database_url, "export", TRANSFER, "-o", str(file)).returncode == 0
    report = outside.report(file)
    assert report["verdict"] == "failed"
    said = [one["text"] for one in report["findings"] if one["status"] == "FAILED"]
    assert "the envelope here is not the one that the log committed to" in said


async def test_a_transfer_from_xml_to_json_is_proved_by_the_script_alone(
    tmp_path: Path, hubs: StartHub, http: Any
) -> None:
    """What Thailand signed in XML, Switzerland had with the hub's translation: one story."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=["XHB01", "THA01"])
    xml_key = hub_key_variable(seeded_xml_signer("XHB01"))
    hub = await hubs(url, HUB_XML_KEY=xml_key, ITMO_HUB_XML_SIGNER="env:HUB_XML_KEY")
    thailand = Peer("THA01", hub.address, http).in_xml
    assert codes(await thailand.say("XHB01", hello("xml"))) == [0]
    await trade(thailand, Peer("CHE01", hub.address, http))
    file = tmp_path / "transfer.zip"
    assert command(url, "export", TRANSFER, "-o", str(file)).returncode == 0
    outside = auditor(url, tmp_path)
    report = outside.report(file)
    assert (report["verdict"], report["outcome"]) == ("proved", "completed"), report
    bundle = file.read_bytes()
    (path,) = [
        name
        for name, raw in read_archive(bundle).items()
        if name.endswith("envelope.xml") and b">transfer.proposal<" in raw
    ]
    for change in (flipped, wrapped):
        file.write_bytes(replaced(bundle, path, change))
        report = outside.report(file)
        said = [one["text"] for one in report["findings"] if one["status"] == "FAILED"]
        assert "the envelope here is not the one that the log committed to" in said


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Run a hub and three registries that witness its log, and trade once."""
    place = tmp_path / "world"
    place.mkdir()
    with ExitStack() as stack:
        processes = Processes(place / "logs")
        processes.logs.mkdir()
        stack.callback(processes.stop)
        url = f"sqlite:///{place}/hub/hub.db"
        database = Database(url)
        stack.callback(database.dispose)
        commands = CommandLine(get_command(app).main, place / "commands.txt")
        screen = Screen(Console(file=io.StringIO(), width=120))
        made = Stage(World(place, commands, processes, url), screen, database, feed_blocks=1)
        for chapter in (connect, agree, transfer_first, reject, expire):
            chapter(made)
        yield made


@pytest.mark.timeout(180)
def test_hub_and_parties_prove_every_end_under_a_quorum_of_witnesses(
    stage: Stage, tmp_path: Path
) -> None:
    """Completed, rejected, expired; pushed and pulled: each end's own file is proof."""
    world, file = stage.world, tmp_path / "transfer.zip"
    outside = Auditor(tmp_path / "verify_evidence.py", tmp_path / "anchor.json")
    world.commands.run("evidence", "verifier", "-o", str(outside.script))
    world.hub("evidence", "anchor", "-o", str(outside.anchor), "--participants")
    told = {row.transfer_id: row for row in stage.transfers()}
    assert sorted({row.states["hub"] for row in told.values()}) == [
        "completed",
        "expired",
        "rejected",
    ]
    for transfer_id, row in told.items():
        world.hub("evidence", "export", transfer_id, "-o", str(file))
        assert outcome(outside.report(file)) == ("proved", row.states["hub"])
        for code in row.states.keys() - {"hub"}:
            stage.until(
                "a quorum confirmed it", partial(is_proved, stage, code, row, outside, file)
            )


def is_proved(stage: Stage, code: str, row: Any, outside: Auditor, file: Path) -> bool:
    """Tell whether a party's export is proof; of an expiry it has the hub's notice alone."""
    stage.desk(code).run("evidence", "export", row.transfer_id, "-o", str(file))
    state = row.states["hub"]
    verdict = "proved in part" if state == "expired" else "proved"
    return outcome(outside.report(file)) == (verdict, state)


def outcome(report: dict[str, Any]) -> tuple[str, str]:
    """Return verdict and outcome."""
    return report["verdict"], report["outcome"]


@pytest.mark.timeout(180)
def test_a_registry_proves_its_transfer_alone_when_the_hub_is_gone(
    stage: Stage, tmp_path: Path
) -> None:
    """From its own book and kept proofs, with the hub gone: each party proves the whole story."""
    sold, world = str(stage.result["first_transfer"]), stage.world
    outside = Auditor(tmp_path / "verify_evidence.py", tmp_path / "anchor.json")
    world.commands.run("evidence", "verifier", "-o", str(outside.script))
    for code in ("THA01", "CHE01"):
        own = tmp_path / f"{code}.zip"
        stage.until("proofs are kept", partial(_exported, stage, code, own))
    for child in [one for one in world.processes.children if one.name == "hub"]:
        child.process.kill()
        child.process.wait()
        world.processes.children.remove(child)
    for code in ("THA01", "CHE01"):
        desk, own = stage.desk(code), tmp_path / f"{code}-alone.zip"
        _exported(stage, code, own)
        options = ["-o", str(outside.anchor), "--participants", "--config", str(desk.config)]
        world.commands.run("registry", "evidence", "anchor", *options)
        report = outside.report(own)
        failed = [one for one in report["findings"] if one["status"] == "FAILED"]
        assert (report["verdict"], report["outcome"], failed) == ("proved", "completed", [])
        arguments = ["registry", "evidence", "verify", str(own), "--trust", str(outside.anchor)]
        shown = world.commands.run(*arguments, "--json")
        assert json.loads(shown) == report
    with pytest.raises(CommandRefusedError, match="no transfer THA01-404 is known here"):
        stage.desk("THA01").run("evidence", "export", "THA01-404", "-o", str(tmp_path / "x"))
    assert sold


def _exported(stage: Stage, code: str, path: Path) -> bool:
    """Export a registry's evidence from what it keeps, without asking the hub; tell if it can."""
    sold = str(stage.result["first_transfer"])
    try:
        stage.desk(code).run("evidence", "export", sold, "-o", str(path), "--offline")
    except CommandRefusedError:
        return False
    return True
