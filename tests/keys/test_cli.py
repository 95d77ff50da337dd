"""The commands: what they write, what they print, and how they refuse."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from keys.algorithms import Algorithm
from keys.cli import app
from keys.documents import parse_document, render_document
from keys.possession import verify_possession
from keys.signing import open_signer
from tests.keys.support import NOW, record, seeded_signer

PASSPHRASE = "correct horse battery"
ENVIRONMENT = {"PW": PASSPHRASE, "COLUMNS": "200"}


def run(*arguments: str | Path, given: str | None = None) -> Result:
    """Run `keys` with these arguments, the passphrase in PW, and the given standard input."""
    return CliRunner().invoke(app, [str(item) for item in arguments], given, env=ENVIRONMENT)


def generate(out: Path, *more: str) -> dict[str, str]:
    """Generate a key of THA01 into the directory and return what is printed as JSON."""
    options = ("--participant", "THA01", "--out", str(out), "--passphrase-env", "PW", "--json")
    result = run("generate", *options, *more)
    assert result.exit_code == 0, result.output
    printed: dict[str, str] = json.loads(result.stdout)
    return printed


@pytest.mark.parametrize("algorithm", Algorithm)
def test_generate_writes_a_key_and_its_document(algorithm: Algorithm, tmp_path: Path) -> None:
    """The printed URI opens the key, the document describes it, and nothing else is written."""
    printed = generate(tmp_path, "--algorithm", algorithm.value)
    signer = open_signer(printed["uri"], key_id=printed["key_id"], environment=ENVIRONMENT)
    document = parse_document(Path(printed["document"]).read_bytes())
    assert signer.algorithm is algorithm
    assert document.public_key_der == signer.public_key_der
    assert document.valid_until is None
    assert verify_possession(Path(printed["proof"]).read_bytes()) == document
    assert {path.suffix for path in tmp_path.iterdir()} == {".key", ".json", ".jws"}
    key_file = tmp_path / f"{printed['key_id']}.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_generate_takes_a_window_and_asks_for_a_passphrase(tmp_path: Path) -> None:
    """Typed twice and never shown; the URI then names no source."""
    result = run(
        *("generate", "--participant", "THA01", "--out", tmp_path),
        *("--valid-from", "2027-01-01T00:00:00Z", "--valid-until", "2028-01-01T00:00:00Z"),
        given=f"{PASSPHRASE}\n{PASSPHRASE}\n",
    )
    assert result.exit_code == 0, result.output
    assert PASSPHRASE not in result.output
    [path] = tmp_path.glob("*.json")
    document = parse_document(path.read_bytes())
    assert document.valid_until is not None
    assert (document.valid_from.year, document.valid_until.year) == (2027, 2028)
    [uri] = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("uri")]
    assert uri.endswith(".key")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--participant", "tha01", "--passphrase-env", "PW"], 2, "not a participant code"),
        (["--passphrase-env", "PW"], 2, "--participant"),
        (["--participant", "THA01", "--passphrase-env", "NONE"], 1, "NONE is empty or not set"),
        (["--participant", "THA01", "--algorithm", "RS256"], 2, "RS256"),
        (["--participant", "THA01", "--valid-from", "tomorrow"], 2, "not a UTC time"),
        (
            ["--participant", "THA01", "--passphrase-env", "PW"],
            1,
            "ends before it begins",
        ),
    ],
)
def test_generate_refuses_with_a_status_and_a_reason(
    arguments: list[str], status: int, message: str, tmp_path: Path
) -> None:
    """2 for a misused option, 1 for a refusal; nothing is written either way."""
    if "begins" in message:
        arguments = [*arguments, "--valid-until", "2001-01-01T00:00:00Z"]
    result = run("generate", "--out", tmp_path, *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["document", "proof"])
def test_show_tells_a_public_key_and_its_countdown(form: str, tmp_path: Path) -> None:
    """For a plain document and for a self-signed one, whose proof is then checked."""
    printed = generate(tmp_path, "--valid-until", "2999-01-01T00:00:00Z")
    path = Path(printed["document"])
    if form == "proof":
        path = tmp_path / "proof.jws"
        options = ("--participant", "THA01", "--valid-until", "2999-01-01T00:00:00Z")
        assert run("possession", printed["uri"], *options, "--out", path).exit_code == 0
    shown = json.loads(run("show", path, "--json").stdout)
    assert shown["key_id"] == printed["key_id"]
    assert shown["fingerprint"] == printed["fingerprint"]
    assert shown["state"].startswith("valid, ")
    assert shown["state"].endswith(" left")
    assert shown["possession"] == ("proven" if form == "proof" else "not shown")
    assert printed["fingerprint"] in run("show", path).stdout


@pytest.mark.parametrize(
    ("begin", "end", "revoked", "state"),
    [
        (2001, None, None, "valid, without an end"),
        (2001, 2002, None, "ended "),
        (2998, 2999, None, "not yet valid, starts in "),
        (2001, None, 2002, "revoked since 2002-"),
        (2001, 2999, 2998, "valid, "),
    ],
)
def test_show_tells_each_state(
    begin: int, end: int | None, revoked: int | None, state: str, tmp_path: Path
) -> None:
    """Open, ended, not begun, revoked, and revoked in the future."""
    times = [None if year is None else NOW.replace(year=year) for year in (end, revoked)]
    made = record(seeded_signer(), NOW.replace(year=begin), *times)
    path = tmp_path / "key.json"
    path.write_bytes(render_document(made))
    assert json.loads(run("show", path, "--json").stdout)["state"].startswith(state)


def test_show_opens_a_uri_for_its_participant(tmp_path: Path) -> None:
    """It prints the public half only, asks for what the URI does not say, and needs a code."""
    printed = generate(tmp_path)
    result = run("show", printed["uri"], "--participant", "THA01", "--json")
    assert json.loads(result.stdout)["fingerprint"] == printed["fingerprint"]
    bare = printed["uri"].partition("?")[0]
    asked = run("show", bare, "--participant", "THA01", given=f"{PASSPHRASE}\n")
    assert printed["key_id"] in asked.stdout
    assert run("show", printed["uri"]).exit_code == 2
    assert run("show", printed["uri"], "--participant", "x").exit_code == 2


def test_possession_prints_a_proof(tmp_path: Path) -> None:
    """On standard output, for the participant asked for; an existing file is not overwritten."""
    printed = generate(tmp_path)
    options = ("possession", printed["uri"], "--participant", "THA01")
    result = run(*options)
    assert verify_possession(result.stdout.strip().encode()).key_id == printed["key_id"]
    taken = tmp_path / "taken"
    taken.write_text("x")
    refused = run(*options, "--out", taken)
    assert (refused.exit_code, taken.read_text()) == (1, "x")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "key-file-refused"),
        (b"{}", "key-document-malformed"),
        (b'{"payload":"","signatures":[]}', "jws-signature-count"),
        (b"x" * 100_000, "key-document-malformed"),
    ],
)
def test_show_refuses_with_the_reason(content: bytes | None, reason: str, tmp_path: Path) -> None:
    """One line on standard error that begins with the stable word, and status 1."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_bytes(content)
    result = run("show", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{reason}: ")
    assert result.stderr.count("\n") == 1
