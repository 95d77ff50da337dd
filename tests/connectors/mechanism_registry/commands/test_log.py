"""The mechanism registry's connector watches the hub's log like every other."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.mechanism_registry.cli import app
from connectors.mechanism_registry.runs.push import PushStoppedError
from tests.connectors.mechanism_registry.hub import MechanismHub
from tests.connectors.mechanism_registry.rows import block, issuance, whole_issuance, write_lines
from tests.connectors.mechanism_registry.runs.test_push import push_feed
from tests.connectors.mechanism_registry.test_cli import environment

runner = CliRunner()


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MechanismHub]:
    """A hub with a log, and the mechanism registry's key in the environment."""
    monkeypatch.setenv("XMR01_KEY", environment()["XMR01_KEY"])
    async with MechanismHub() as running:
        yield running


async def log_command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a `mechanism log` command in a thread; return status, output and errors."""
    config = ["--config", str(folder / "mechanism.toml")]
    result = await asyncio.to_thread(runner.invoke, app, ["log", *arguments, *config])
    return result.exit_code, result.stdout, result.stderr


async def shown(folder: Path) -> Any:
    """Return what `mechanism log show` says."""
    status, output, _ = await log_command(folder, "show", "--json")
    assert status == 0
    return json.loads(output)


async def test_a_push_proves_its_receipts_and_an_audit_covers_all(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """The last receipts are proven before the run ends; the audit finds every entry known."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed)
    assert (await shown(tmp_path))["claims"]["proven"] > 0
    status, output, errors = await log_command(tmp_path, "audit", "--json")
    assert status == 0, errors
    assert json.loads(output)["findings"] == []
    found = await shown(tmp_path)
    assert found["audited_size"] == len(hub.log.entries)
    assert found["own_entries"]["unknown"] == 0


async def test_a_paused_push_says_so_and_goes_on_after_resume(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """A fork stops the line with its remedy; resumed, the rest of the feed is pushed."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed)
    honest = list(hub.log.entries)
    hub.log.alter(1, at="2026-01-01T00:00:00.000Z")
    hub.log.grow(1)
    status, _, _ = await log_command(tmp_path, "audit")
    assert status == 1
    assert (await shown(tmp_path))["pause"]["kind"] == "log-fork"
    again = [issuance(issuance_id="XMR01-2"), block(2001, 2930, issuance_id="XMR01-2")]
    more = write_lines(tmp_path / "more.jsonl", again)
    with pytest.raises(PushStoppedError, match="mechanism log resume"):
        await push_feed(hub, more)
    hub.log.entries[:] = honest
    status, output, _ = await log_command(tmp_path, "resume", "--reason", "a test of ours")
    assert (status, output) == (0, "resumed\n")
    report = await push_feed(hub, more)
    assert (report.accepted, report.waiting) == (1, 0)


async def test_a_hub_that_cannot_be_asked_is_one_sentence(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """Exit status 1 and what to do, no traceback."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed, log_seconds=0.0)
    hub.log.down = True
    status, _, errors = await log_command(tmp_path, "audit")
    assert status == 1
    assert "no checkpoint" in errors
