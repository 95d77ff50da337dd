"""`registry reconciliation`, `registry book` and the damages of a drill, at the command line."""

import asyncio
import json
import sys
from functools import partial
from typing import Any

import pytest

from connectors.party_registry import damage
from message_schemas.json_codec import compose_notice
from tests.connectors.fake_hub import HUB
from tests.connectors.party_registry.conftest import APPROACH, AUTHORIZATION, Trade
from tests.connectors.party_registry.test_cli import Shell, is_in_force, shell
from tests.connectors.party_registry.test_reconciliation import result
from tests.connectors.session.conftest import until

__all__ = ["shell"]

FIRST, LAST = "CA0001-THA01-THA-1-2022", "CA0001-THA01-THA-9-2022"


async def serve(shell: Shell) -> asyncio.subprocess.Process:
    """Start the registry with 100 units in its book."""
    server = await shell.start("serve", "--json")
    assert server.stdout is not None
    await server.stdout.readline()
    for type_, body in (
        ("cooperative_approach.record", APPROACH),
        ("authorization.record", AUTHORIZATION),
    ):
        (shell.folder / "body.json").write_text(json.dumps(body))
        await shell.json("submit", str(shell.folder / "body.json"), "--to", HUB, "--type", type_)
    await until(partial(is_in_force, shell))
    await shell.json("account", "open", "TH-100-1")
    issued = ["issue", "--account", "TH-100-1", "--authorization", "TH-2022-001"]
    await shell.json(*issued, "--vintage", "2022", "--quantity", "100")
    return server


async def run_damage(shell: Shell, *arguments: str) -> tuple[int, str]:
    """Run the drill as its operator does; return status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        damage.__name__,
        str(shell.config),
        *arguments,
        env=shell.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.slow
async def test_a_difference_from_the_result_to_the_correction(shell: Shell, trade: Trade) -> None:
    """Status, list, explain with exit status 3, a damage that check finds, and its correction."""
    server = await serve(shell)
    status, shown, _ = await shell.run("reconciliation", "status")
    assert (status, "remedy" in shown) == (0, True)
    trade.hub.post_item("THA01", notices=(compose_notice("reconciliation.result", result(trade)),))

    async def kept() -> Any:
        return (await shell.json("reconciliation", "list"))["results"]

    await until(kept)
    status, shown, _ = await shell.run("reconciliation", "explain")
    assert (status, "book correct completion" in shown) == (3, True)
    status, shown, _ = await shell.run("reconciliation", "show", "CHE01-9")
    assert (status, "finding\tlost_message\t11-20" in shown) == (3, True)
    told = ["reconciliation", "explain-case", "2026-11-23/1", "--text", "put right", "--corrected"]
    assert (await shell.json(*told))["case_id"] == "2026-11-23/1"

    ids = f"{FIRST}..{LAST}"
    status, shown = await run_damage(shell, "drop", ids)
    assert (status, "--drill" in shown) == (2, True)
    status, shown = await run_damage(shell, "drop", ids, "--drill", "--behind-the-journal")
    assert (status, shown) == (0, f"drop\t{ids}\t9 units\n")
    status, shown = await run_damage(shell, "drop", ids, "--drill")
    assert (status, "not all here" in shown) == (1, True)
    status, _, errors = await shell.run("check")
    assert (status, "not what the journal says" in errors) == (1, True)
    restore = ["book", "correct", "restore", "--block", ids]
    status, _, _ = await shell.run(*restore)
    assert status == 2  # a reason is asked for
    done = await shell.json(*restore, "--reason", "a drill", "--case", "2026-11-23/1")
    assert done["quantity"] == 9
    assert (await shell.json("check"))["sound"] is True
    _, listed, _ = await shell.run("book", "corrections")
    assert "a drill" in listed
    server.terminate()
    assert await server.wait() == 0
