"""The script of protocol.md that verifies an entry without any code of ours, against a real hub."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from hub.transparency_log.entries import decode_salt
from tests.docs.documents import blocks_of
from tests.hub.log_world import log_keys
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer, approach, payload_of


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubUnderTest]:
    """Run a real hub on SQLite."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url)
    running = HubUnderTest(url, tmp_path).start_now()
    yield running
    running.kill_now()


def by_hand(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the document, isolated from this project."""
    (block,) = [one for one in blocks_of("protocol.md", "python") if "/v1/log/proof" in one.text]
    script = folder / "verify.py"
    script.write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-I", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_of_the_document_verifies_an_entry_and_opens_it(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    """With the envelope and the salt of its receipt; another key or index is refused."""

    async def post() -> tuple[bytes, bytes]:
        async with aiohttp.ClientSession() as http:
            thailand = Peer("THA01", hub.address, http)
            raw = thailand.envelope("XHB01", approach())
            return raw, await thailand.post_until_answered(raw)

    raw, sealed = asyncio.run(post())
    receipt = payload_of(sealed, "itmo-receipt+jws")
    (vkey,) = log_keys().vkeys
    index = str(receipt["log_index"])
    said = by_hand(tmp_path, hub.address, vkey, index)
    assert said.returncode == 0, said.stderr
    entry = json.loads(said.stdout)
    salt = decode_salt(receipt["entry_salt"])
    for name, content in (("envelope", raw), ("receipt", sealed)):
        assert entry["commitments"][name] == hashlib.sha256(salt + content).hexdigest()
    other = log_keys("another.invalid/log").vkeys[0]
    assert by_hand(tmp_path, hub.address, other, index).returncode == 1
    assert by_hand(tmp_path, hub.address, vkey, "99999").returncode == 1
