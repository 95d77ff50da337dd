"""`keys`: make a key, look at one, prove that one holds it.

Thin commands over the modules beside this one. Results go to standard output, errors to standard
error; exit status 0 done, 1 refused, 2 misused. With `--json` the output is one JSON object.
No command prints a private key or a passphrase, and none overwrites a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keys.algorithms import Algorithm
from keys.documents import format_time, parse_document, parse_time, to_document
from keys.errors import KeyFileError, KeysError
from keys.key_files import write_new_file
from keys.key_ids import fingerprint, is_participant
from keys.new_keys import make_key
from keys.possession import sign_possession, verify_possession
from keys.public_keys import KeyRecord
from keys.signing import open_signer

__all__ = ["app"]

app = typer.Typer(
    name="keys",
    help="Make and inspect the keys a participant signs with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_DOCUMENT_BYTES_MAX = 64 * 1024


def _participant_code(value: str) -> str:
    if not is_participant(value):
        raise typer.BadParameter(f"{value!r} is not a participant code such as THA01")
    return value


def _moment(value: str) -> datetime:
    try:
        return parse_time(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Participant = Annotated[
    str, typer.Option(help="Whose key: a code such as THA01.", callback=_participant_code)
]
From = Annotated[
    datetime | None,
    typer.Option("--valid-from", parser=_moment, help="UTC, 2027-01-31T12:00:00Z. Default: now."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--valid-until", parser=_moment, help="UTC, exclusive. Default: open."),
]
PassphraseEnv = Annotated[
    str | None, typer.Option(help="Variable with the passphrase; else it is asked for.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def generate(
    participant: Participant,
    out: Annotated[Path, typer.Option(help="Folder for the files; made if missing.")],
    algorithm: Annotated[
        Algorithm, typer.Option(help="ES256 signs JSON and XML; Ed25519 signs JSON.")
    ] = Algorithm.ED25519,
    name: Annotated[
        str | None, typer.Option(help="Begins the file names. Default: the key id.")
    ] = None,
    passphrase_env: PassphraseEnv = None,
    valid_from: From = None,
    valid_until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Make a key: its encrypted file, its public key document, its proof for registration."""
    with _refusals():
        made = make_key(
            out,
            participant,
            algorithm,
            _new_passphrase(passphrase_env),
            valid_from or _now(),
            valid_until=valid_until,
            name=name,
        )
    _show(made.described(passphrase_env), as_json)


@app.command()
def show(
    target: Annotated[str, typer.Argument(help="A key document, a proof, or a key URI.")],
    participant: Annotated[
        str | None, typer.Option(help="Whose key it is; needed for a key URI.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a key: id, algorithm, fingerprint, and for a document how long it is valid."""
    if target.startswith(("file:", "env:", "pkcs11:")):
        if participant is None:
            raise typer.BadParameter("a key URI needs --participant")
        with _refusals():
            signer = open_signer(
                target, participant=_participant_code(participant), passphrase=_ask_passphrase
            )
        described = {
            "key_id": signer.key_id,
            "algorithm": signer.algorithm.value,
            "fingerprint": fingerprint(signer.public_key_der),
        }
        _show(described, as_json)
        return
    with _refusals():
        record, proven = _read_public(Path(target))
    result: dict[str, object] = {
        **to_document(record),
        "fingerprint": fingerprint(record.public_key_der),
        "possession": "proven" if proven else "not shown",
        "state": _state(record, _now()),
    }
    _show(result, as_json)


@app.command()
def possession(
    uri: Annotated[str, typer.Argument(help="The key's URI.")],
    participant: Participant,
    out: Annotated[Path | None, typer.Option(help="New file; default: standard output.")] = None,
    valid_from: From = None,
    valid_until: Until = None,
) -> None:
    """Sign the key's own public key document with it, to send for registration."""
    with _refusals():
        signer = open_signer(uri, participant=participant, passphrase=_ask_passphrase)
        start = valid_from or _now()
        proof = sign_possession(signer, participant, valid_from=start, valid_until=valid_until)
        if out is not None:
            write_new_file(out, proof, 0o644)
            typer.echo(str(out))
            return
    typer.echo(proof.decode("ascii"))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what this package refuses into a line on standard error and exit status 1."""
    try:
        yield
    except KeysError as error:
        typer.echo(f"{error.reason}: {error.detail}", err=True)
        raise typer.Exit(1) from error


def _new_passphrase(variable: str | None) -> str:
    if variable is None:
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    value = os.environ.get(variable, "")
    if not value:
        raise KeyFileError(f"the environment variable {variable} is empty or not set")
    return value


def _ask_passphrase() -> str:
    return str(typer.prompt("Passphrase", hide_input=True, err=True))


def _read_public(path: Path) -> tuple[KeyRecord, bool]:
    """Return the record of a key document or of a self-signed one, and whether it is the latter."""
    try:
        with path.open("rb") as file:
            raw = file.read(_DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if b'"signatures"' in raw:
        return verify_possession(raw.strip()), True
    return parse_document(raw), False


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None and record.revoked_at <= now:
        return f"revoked since {format_time(record.revoked_at)}"
    if now < record.valid_from:
        return f"not yet valid, starts in {_span((record.valid_from - now).total_seconds())}"
    if record.ends_at is None:
        return "valid, without an end"
    if record.ends_at <= now:
        return f"ended {_span((now - record.ends_at).total_seconds())} ago"
    return f"valid, {_span((record.ends_at - now).total_seconds())} left"


def _span(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    return f"{days} d {hours} h" if days else f"{hours} h {rest // 60} min"


def _show(values: dict[str, object] | dict[str, str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        text = "-" if value is None else str(value)
        # The bytes of a key are for machines; people compare the fingerprint.
        shown = f"{text[:40]}... ({len(text)} characters)" if name == "public_key" else text
        typer.echo(f"{name:<{width}}  {shown}")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
