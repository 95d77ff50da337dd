"""``itmo-hub serve``: says where it listens, ends when told to, and why it cannot start."""

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.hub.commands.runner import refused
from tests.integration.hub_process import HubUnderTest, hub_key_variable


def test_a_hub_ends_with_status_zero_when_told_to(sqlite_url: str, tmp_path: Path) -> None:
    """SIGTERM: it closes its doors and its database; nothing is left of the write-ahead log."""
    hub = HubUnderTest(sqlite_url, tmp_path).start_now()
    with urllib.request.urlopen(hub.address + "/health/ready") as response:
        assert response.status == 200
    assert asyncio.run(hub.stop()) == 0
    (warning,) = hub.log.read_text().splitlines()
    assert "no registry is compared by digests" in warning, "it has no secret for that"
    assert not (tmp_path / "hub.db-wal").exists()


def started(url: str, *words: str) -> tuple[int, str]:
    """Start a hub that cannot start, as a process of its own; return status and what it says."""
    command = [sys.executable, "-m", "hub", "serve", "--database", url, *words]
    environment = os.environ | {"HUB_KEY": hub_key_variable(), "ITMO_HUB_LOG_LEVEL": "warning"}
    ended = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert ended.stdout == b""
    return ended.returncode, ended.stderr.decode()


def test_a_hub_without_a_key_says_how_to_make_one(sqlite_url: str) -> None:
    """The remedy is the command."""
    status, said = started(sqlite_url, "--port", "0")
    assert status == 1
    assert said.startswith("itmo-hub: ")
    assert "itmo-hub keys generate" in said


def test_a_port_that_is_taken_is_one_clear_line(sqlite_url: str) -> None:
    """Somebody else listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, said = started(sqlite_url, "--port", port, "--signer", "env:HUB_KEY")
    assert status == 1
    assert said.startswith("itmo-hub: ")
    assert "address already in use" in said.lower()
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ITMO_HUB_PORT", "high", "port"),
        ("ITMO_HUB_LOG_LEVEL", "chatty", "log_level"),
        ("ITMO_HUB_LIMITS__ENVELOPE_BYTES_MAX", "lots", "envelope_bytes_max"),
        ("ITMO_HUB_TLS_CERTIFICATE", "missing.pem", "tls_certificate"),
        ("ITMO_HUB_CONFIG", "missing.toml", "missing.toml"),
        ("ITMO_HUB_CONFIG", "broken.toml", "broken.toml"),
        ("ITMO_HUB_CONFIG", "hub.toml", "colour"),
    ],
)
def test_a_wrong_setting_is_named(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    expected: str,
) -> None:
    """Which one, in one line, before anything is opened."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub.toml").write_text('colour = "blue"\n')
    (tmp_path / "broken.toml").write_text("port = = 1\n")
    environment = {"HUB_KEY": hub_key_variable(), "ITMO_HUB_SIGNERS": '["env:HUB_KEY"]'}
    environment |= {variable: value}
    port = () if variable == "ITMO_HUB_PORT" else ("--port", "0")
    assert expected in refused("serve", "--database", sqlite_url, *port, **environment)
