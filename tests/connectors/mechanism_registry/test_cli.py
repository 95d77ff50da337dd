"""The command ``mechanism``: its output, its exit status, and a kill between any two commits."""

import asyncio
import json
import os
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from connectors.mechanism_registry.cli import app
from connectors.session.crash_points import ENVIRONMENT_NAME, EXIT_STATUS
from tests.connectors.mechanism_registry.hub import MechanismHub, write_settings
from tests.connectors.mechanism_registry.rows import block, whole_issuance, write_lines

RUN_SECONDS_MAX = 60

runner = CliRunner()


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Return a good feed beside a settings file that leads nowhere."""
    write_settings(None, tmp_path)
    return write_lines(tmp_path / "feed.jsonl", whole_issuance())


def run(feed: Path, *arguments: str) -> tuple[int, str, str]:
    """Run ``mechanism push`` in this process; return status, output and errors."""
    config = str(feed.parent / "mechanism.toml")
    result = runner.invoke(app, ["push", str(feed), "--config", config, *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_dry_run_judges_everything_and_sends_nothing(feed: Path) -> None:
    """No hub, no key and no database are needed; none is made."""
    status, output, _ = run(feed, "--dry-run", "--json")
    document = json.loads(output)
    assert (status, document["waiting"], document["refused_here"]) == (0, 4, 0)
    assert document["quantity_by_kind"]["forwarding"] == 930
    assert [issuance["complete"] for issuance in document["issuances"]] == [True]
    assert not (feed.parent / "mechanism.sqlite").exists()


def test_a_dry_run_with_refusals_ends_with_one(feed: Path) -> None:
    """Exit status 1, a table of rules, and the refusals in their file."""
    write_lines(feed, [*whole_issuance(), block(1, 10)])
    status, output, errors = run(feed, "--dry-run")
    assert status == 1
    assert "4002 TRANSFER_EXISTS_WITH_DIFFERENT_FIELD" in output
    refusals = feed.with_name("feed.jsonl.refusals.jsonl")
    assert str(refusals) in errors
    assert json.loads(refusals.read_text())["line"] == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hub_url = 1\n", "hub_keys: Field required"),
        (b"colour = 'blue'\n", "colour: Extra inputs"),
        (b"hub_url\n", "mechanism.toml: "),
        (b"\xff\n", "mechanism.toml: "),
        (None, "No such file"),
    ],
)
def test_wrong_settings_are_a_misuse(feed: Path, content: bytes | None, said: str) -> None:
    """Exit status 2 with file and field, never a traceback."""
    config = feed.parent / "mechanism.toml"
    if content is None:
        config.unlink()
    else:
        config.write_bytes(content)
    status, _, errors = run(feed, "--dry-run")
    assert status == 2
    assert said in errors


def test_a_missing_feed_is_a_misuse(feed: Path) -> None:
    """So is a file that is no feed, and a key that is not there."""
    assert "XMR01_KEY" in run(feed)[2]
    feed.unlink()
    status, _, errors = run(feed, "--dry-run")
    assert status == 2
    assert "feed.jsonl" in errors
    feed.write_bytes("{}".encode("utf-16"))
    status, _, errors = run(feed, "--dry-run")
    assert status == 2
    assert "UTF-8" in errors


def test_the_example_says_its_seed(tmp_path: Path) -> None:
    """The line printed is enough to make the same file again."""
    out = tmp_path / "example.csv"
    arguments = ["feed", "example", "-n", "12", "--format", "csv", "-o", str(out), "--seed", "4"]
    result = runner.invoke(app, [*arguments, "--set", "host_party=GHA"])
    assert result.exit_code == 0
    assert "seed=4" in result.stdout
    assert ",GHA," in out.read_text()
    assert runner.invoke(app, [*arguments, "--set", "colour=blue"]).exit_code == 2


@pytest.mark.parametrize(
    ("name", "first"), [("a.jsonl", "{"), ("a.csv", "record,"), ("a.xml", "<")]
)
def test_the_example_is_written_as_its_name_says(tmp_path: Path, name: str, first: str) -> None:
    """So `push` reads what `feed example` wrote; a name that tells nothing is misuse."""
    arguments = ["feed", "example", "-n", "3", "-o"]
    assert runner.invoke(app, [*arguments, str(tmp_path / name)]).exit_code == 0
    assert (tmp_path / name).read_text().startswith(first)
    assert runner.invoke(app, [*arguments, str(tmp_path / "a.txt")]).exit_code == 2
    assert not (tmp_path / "a.txt").exists()


def test_nothing_was_pushed_before_the_first_run(feed: Path) -> None:
    """Status works on an empty house and changes nothing."""
    config = str(feed.parent / "mechanism.toml")
    result = runner.invoke(app, ["status", "--config", config, "--json"])
    assert json.loads(result.stdout) == {"feeds": [], "sources": [], "envelopes": []}
    assert runner.invoke(app, ["release", "no-such-id", "--config", config]).exit_code == 1


def environment(label: str = "first", **more: str) -> dict[str, str]:
    """Return the environment of a run, with the mechanism registry's key in it."""
    seed = sha256(f"XMR01/{label}".encode()).digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {**os.environ, "XMR01_KEY": b64encode(raw).decode(), **more}


async def run_process(feed: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """Run ``mechanism push --json`` as a process of its own; return status, output and errors."""
    config = str(feed.parent / "mechanism.toml")
    return await run_mechanism(["push", str(feed), "--config", config, "--json"], variables)


async def run_mechanism(arguments: list[str], variables: dict[str, str]) -> tuple[int, str, str]:
    """Run ``mechanism`` as a process of its own; return status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "connectors.mechanism_registry.cli", *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS_MAX):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


CRASHES = [
    "registry.command.before_commit:2",
    "registry.command.after_commit:3",
    "registry.command.before_commit:4",
    "registry.command.after_commit:4",
    "outbox.seal.before_commit:1",
    "outbox.seal.after_commit:1",
    "outbox.before_send:1",
    "outbox.after_send:1",
    "outbox.receipt.before_commit:1",
    "outbox.receipt.after_commit:1",
    "outbox.receipt.before_commit:2",
]


@pytest.mark.slow
async def test_killed_between_any_two_commits_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    """A process dies at each place in turn; the run after the last death ends with the whole."""
    lines = [*whole_issuance(), block(2000, 2000)]
    lines[3] = block(71, 500)
    lines[4] = block(501, 1000)
    for number, crash in enumerate(CRASHES):
        folder = tmp_path / str(number)
        folder.mkdir()
        feed = write_lines(folder / "feed.jsonl", lines)
        async with MechanismHub() as hub:
            write_settings(hub, folder, messages_per_envelope_max=2)
            status, _, errors = await run_process(feed, environment(**{ENVIRONMENT_NAME: crash}))
            assert status == EXIT_STATUS, f"{crash}: {errors}"
            status, output, errors = await run_process(feed, environment())
            assert status == 0, f"{crash}: {errors}"
            report = json.loads(output)
            assert (report["accepted"], report["duplicates"]) == (5, 0), crash
            assert set(hub.taken.values()) == {1}, crash
            assert hub.kinds_of("XMR01-1")[0] == "issuance"


@pytest.mark.slow
async def test_a_parked_envelope_is_released_by_hand(tmp_path: Path) -> None:
    """The wrong key stops the run; with the right one the messages go in a new envelope."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    async with MechanismHub() as hub:
        config = write_settings(hub, tmp_path)
        status, _, errors = await run_process(feed, environment("another"))
        assert status == 1
        assert "SIGNATURE_INVALID" in errors or "KEY_UNKNOWN" in errors
        result = runner.invoke(app, ["status", "--config", str(config), "--json"])
        (envelope,) = json.loads(result.stdout)["envelopes"]
        assert envelope["state"] == "parked"
        arguments = ["release", envelope["envelope_id"], "--config", str(config)]
        assert runner.invoke(app, [*arguments, "--new-envelope"]).exit_code == 0
        status, output, _ = await run_process(feed, environment())
    assert status == 0
    assert json.loads(output)["accepted"] == 4
