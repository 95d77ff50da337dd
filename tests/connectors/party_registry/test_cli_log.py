"""`registry log`: what an operator sees of the hub's log, and does when it contradicts itself."""

import json
from functools import partial
from pathlib import Path

import pytest

from connectors.party_registry.config import ConfigError, load_config
from connectors.party_registry.connector import Connector
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.proof_files import ProofFile, verify_proof
from keys.key_files import save_encrypted
from tests.connectors.party_registry.conftest import PASSPHRASE, Trade, make_config
from tests.connectors.party_registry.test_cli import Shell, shell
from tests.connectors.session.conftest import until
from tests.connectors.worlds import make_private_key

__all__ = ["shell"]


def add_settings(shell: Shell, text: str) -> None:
    """Add sections to the settings file."""
    with shell.config.open("a") as file:
        file.write(text)


def add_witness(shell: Shell) -> None:
    """Give the registry a witness key and a section for it."""
    save_encrypted(shell.folder / "witness.key", make_private_key("THA01", "witness"), PASSPHRASE)
    uri = "file:witness.key?passphrase-env=REGISTRY_PASSPHRASE"
    add_settings(shell, f'\n[witness]\nwitness_signer = "{uri}"\n')


async def test_the_witness_key_is_told_without_a_running_registry(shell: Shell) -> None:
    """One vkey of a cosigning type under the default name, to be sent to the secretariat."""
    status, _, errors = await shell.run("log", "vkey")
    assert status == 1
    assert "witness_signer" in errors
    add_witness(shell)
    status, output, _ = await shell.run("log", "vkey")
    key = VerifierKey.parse(output.strip())
    assert status == 0
    assert (key.name, key.type) == (
        "tha01.itmo-witness.invalid",
        SignatureType.COSIGNATURE_ED25519,
    )


async def _is_proven(shell: Shell) -> bool:
    claims = (await shell.json("log", "show"))["claims"]
    return bool(claims["proven"] > 0 and claims["pending"] == 0)


async def _is_paused(shell: Shell) -> bool:
    return (await shell.json("log", "show"))["pause"] is not None


@pytest.mark.slow
async def test_an_operator_sees_audits_and_resumes_by_commands(shell: Shell, trade: Trade) -> None:
    """Show, proof, audit, witness; then a fork: PAUSED with its remedy, evidence, resume."""
    add_witness(shell)
    add_settings(shell, "\n[log]\nlog_seconds = 0.1\n")
    server = await shell.start("serve", "--json")
    assert server.stdout is not None
    await server.stdout.readline()
    await shell.json("note", "--to", "CHE01", "--subject", "log", "--text", "hello")
    await until(partial(_is_proven, shell))
    log = trade.hub.log
    index = len(log.entries) - 1
    status, text, _ = await shell.run("log", "proof", str(index))
    assert status == 0
    verify_proof(ProofFile.parse(text), log.entries[index], [log.key])
    log.grow(600)
    report = await shell.json("log", "audit")
    assert (report["findings"], report["size"]) == ([], len(log.entries))
    status, shown, _ = await shell.run("log", "witness")
    assert status == 0
    assert "tha01.itmo-witness.invalid" in shown
    honest = list(log.entries)
    log.alter(1, at="2026-01-01T00:00:00.000Z")
    log.grow(1)
    await until(partial(_is_paused, shell))
    _, shown, _ = await shell.run("log", "show")
    assert "PAUSED\tsince" in shown
    assert "registry log resume" in shown
    assert (await shell.json("alarms"))["alarms"][0]["kind"] == "log-fork"
    assert (await shell.json("log", "evidence"))["evidence"][0]["other_note"]
    log.entries[:] = honest
    await shell.json("log", "resume", "--reason", "a test of ours")
    status, _, errors = await shell.run("log", "resume", "--reason", "a test of ours")
    assert status == 1
    assert "nothing is paused" in errors
    server.terminate()
    assert await server.wait() == 0


async def test_the_witness_is_served_beside_the_push_address(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`<push address>/witness/add-checkpoint` answers by the specification's statuses."""
    home = trade.folder / "THA01"
    home.mkdir()
    save_encrypted(home / "witness.key", make_private_key("THA01", "witness"), PASSPHRASE)
    config = make_config(trade.folder, trade.hub, "THA01")
    text = (home / "registry.toml").read_text().replace('mode = "pull"', 'mode = "push"')
    text = text.replace('listen = "127.0.0.1:8611"', 'listen = "127.0.0.1:0"')
    uri = "file:witness.key?passphrase-env=REGISTRY_PASSPHRASE"
    (home / "registry.toml").write_text(f'{text}\n[witness]\nwitness_signer = "{uri}"\n')
    loaded = load_config(home / "registry.toml")
    config = config.model_copy(update={"witness": loaded.witness, "delivery": loaded.delivery})
    connector = await trade.stack.enter_async_context(Connector(config, clock=trade.hub.clock))
    assert connector.witness_url is not None
    import aiohttp

    async with (
        aiohttp.ClientSession() as client,
        client.post(connector.witness_url + "/add-checkpoint", data=b"old\n") as response,
    ):
        assert response.status == 400


async def test_what_arrived_is_read_by_people(shell: Shell, trade: Trade) -> None:
    """The inbox says what each item is about, and nothing in base64."""
    server = await shell.start("serve", "--json")
    assert server.stdout is not None
    await server.stdout.readline()
    seller = await trade.start("CHE01")
    note = {"recipient": "THA01", "subject": "accounts", "text": "TH-1 is open"}
    await seller.call("POST", "/v1/notes", note)

    async def has_item() -> bool:
        return bool((await shell.json("inbox"))["items"])

    await until(has_item)
    _, output, _ = await shell.run("inbox")
    assert "administrator.note subject=accounts text=TH-1 is open (accepted)" in output
    assert "payload" not in output
    server.terminate()
    await server.wait()


async def test_the_named_file_is_all_that_counts(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable of the environment changes what a settings file says, or leaves out."""
    monkeypatch.setenv("ITMO_REGISTRY_BOOK", "false")
    monkeypatch.setenv("ITMO_REGISTRY_LOG", json.dumps({"log_seconds": 0}))
    config = load_config(shell.config)
    assert config.book is True
    assert config.log.log_seconds == 10.0


@pytest.mark.parametrize(
    "wrong", ['[log]\nlog_audit_at = "25:00"\n', "[log]\nlog_seconds = -1\n", "[witness]\n"]
)
def test_settings_of_the_log_that_cannot_work_are_refused(tmp_path: Path, wrong: str) -> None:
    """The field is named."""
    path = tmp_path / "registry.toml"
    path.write_text(
        'participant = "THA01"\n[hub]\nurl = "http://hub.invalid"\nkey_documents = ["x"]\n'
        f'[keys]\nuris = ["env:X"]\n{wrong}'
    )
    with pytest.raises(ConfigError, match=r"log\.|witness\."):
        load_config(path)
