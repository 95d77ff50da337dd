"""The command `registry`: a process that serves, and commands that talk to it."""

import asyncio
import json
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from keys.documents import render_document
from keys.key_files import save_encrypted
from tests.connectors.fake_hub import HUB
from tests.connectors.party_registry.conftest import (
    APPROACH,
    AUTHORIZATION,
    PASSPHRASE,
    Trade,
)
from tests.connectors.session.conftest import until
from tests.connectors.worlds import make_private_key


class Shell:
    """Runs `registry` commands for one settings file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "registry.toml"
        self.environment = {
            **os.environ,
            "REGISTRY_PASSPHRASE": PASSPHRASE,
            "ITMO_REGISTRY_CONFIG": str(self.config),
            "PYTHONPATH": str(Path.cwd()),
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "connectors.party_registry.cli",
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to its end; return status, output and errors."""
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def json(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return its JSON."""
        status, output, errors = await self.run(*arguments, "--json")
        assert status == 0, errors
        return json.loads(output)


@pytest.fixture
async def shell(trade: Trade) -> Shell:
    """Settings written by `registry init`, for THA01."""
    folder = trade.folder / "cli"
    folder.mkdir()
    save_encrypted(folder / "key.pem", make_private_key("THA01"), PASSPHRASE)
    (folder / "hub.json").write_bytes(render_document(trade.hub.anchor[0]))
    shell = Shell(folder)
    await shell.json(
        "init",
        "--participant",
        "THA01",
        "--hub-url",
        trade.hub.url,
        "--hub-key",
        str(folder / "hub.json"),
        "--key",
        f"file:{folder}/key.pem?passphrase-env=REGISTRY_PASSPHRASE",
        "--folder",
        str(folder),
        "--api-listen",
        f"127.0.0.1:{unused_port()}",
    )
    return shell


async def test_init_writes_settings_without_secrets_and_never_twice(shell: Shell) -> None:
    """The token is the owner's alone, nothing secret stands in the settings, nothing is lost."""
    token = (shell.folder / "api-token").read_text().strip()
    assert (shell.folder / "api-token").stat().st_mode & 0o077 == 0
    assert token not in shell.config.read_text()
    assert PASSPHRASE not in shell.config.read_text()
    again = ["init", "--participant", "THA01", "--hub-url", "http://hub.invalid"]
    again += ["--hub-key", "x", "--key", "env:X", "--folder", str(shell.folder)]
    status, _, errors = await shell.run(*again)
    assert status == 1
    assert "registry.toml" in re.sub(r"\s", "", errors)


async def test_a_command_without_a_running_registry_says_so(shell: Shell) -> None:
    """Exit status 1 and one sentence, no traceback."""
    status, output, errors = await shell.run("holdings")
    assert (status, output) == (1, "")
    assert "serve" in errors
    assert "Traceback" not in errors


async def test_wrong_settings_are_a_misuse(shell: Shell) -> None:
    """A misspelt field is named, with exit status 2."""
    text = shell.config.read_text().replace("listen =", "lisen =", 1)
    shell.config.write_text(text)
    status, _, errors = await shell.run("check")
    assert status == 2
    assert "lisen" in errors


async def is_in_force(shell: Shell) -> bool:
    """Tell whether the hub has recorded the authorization."""
    found = await shell.json("records")
    return [entry["state"] for entry in found["authorizations"]] == ["in_force"]


@pytest.mark.slow
async def test_a_day_at_the_command_line(shell: Shell, trade: Trade) -> None:
    """Serve, record, issue, propose, cancel, look, check and stop: all by commands."""
    server = await shell.start("serve", "--json")
    assert server.stdout is not None
    assert json.loads(await server.stdout.readline())["participant"] == "THA01"
    for type_, body in (
        ("cooperative_approach.record", APPROACH),
        ("authorization.record", AUTHORIZATION),
    ):
        (shell.folder / "body.json").write_text(json.dumps(body))
        file = str(shell.folder / "body.json")
        await shell.json("submit", file, "--to", HUB, "--type", type_)
    await until(partial(is_in_force, shell))
    await shell.json("account", "open", "TH-100-1")
    issued = ["issue", "--account", "TH-100-1", "--authorization", "TH-2022-001"]
    await shell.json(*issued, "--vintage", "2022", "--quantity", "1000")
    accounts = ["--from-account", "TH-100-1", "--to-account", "CH-100-1"]
    where = ["transfer", "propose", "--to", "CHE01", "--approach", "CA0001", *accounts]
    made = await shell.json(*where, "--quantity", "250")
    transfer_id = made["transfer_id"]
    await until(lambda: transfer_id in trade.hub.transfers)
    _, listed, _ = await shell.run("transfer", "list")
    assert listed.split("\t")[:2] == [transfer_id, "outgoing"]
    await shell.json("transfer", "cancel", transfer_id, "--reason", "not today")
    shown = await shell.json("transfer", "show", transfer_id)
    assert shown["proposal"]["quantity"] == 250
    _, held, _ = await shell.run("holdings")
    assert held.startswith("CA0001-THA01-THA-1-2022\tCA0001-THA01-THA-250-2022\t250")
    status, _, errors = await shell.run(*where, "--quantity", "5000")
    assert status == 1
    assert "free units" in errors
    assert (await shell.json("check"))["sound"] is True
    assert (await shell.json("alarms"))["alarms"] == []
    server.terminate()
    assert await server.wait() == 0
