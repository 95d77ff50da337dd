"""``itmo-hub participant …``: who is connected, with which keys, and whether they may speak."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hub import bootstrap
from hub.commands.acting import By, carry_out
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    administration_of,
    settings_of,
)
from hub.commands.output import refusals, refuse, show
from hub.protocol.envelopes import digest
from hub.protocol.retry_schedule import RetrySchedule
from hub.protocol.signed_objects import Binding
from hub.services.administration.deeds import Deed
from hub.services.administration.participants import (
    TRANSITIONS,
    add_key,
    add_participant,
    change_state,
    revoke_key,
    set_binding,
    set_delivery,
)
from hub.store import mailboxes, reference
from hub.store.mailboxes import Mailbox
from hub.store.reference import ParticipantRow
from keys.possession import verify_possession
from keys.public_keys import KeyRecord

app = typer.Typer(
    name="participant", help="Connected systems and their keys.", no_args_is_help=True
)

KeyFiles = Annotated[
    list[Path],
    typer.Option(
        "--key", help="Self-signed public key document (from `itmo-hub keys possession`); repeat."
    ),
]


def _read_keys(paths: list[Path]) -> list[KeyRecord]:
    """Return the keys of possession documents: nobody registers a key nobody holds."""
    return [verify_possession(path.read_bytes().strip()) for path in paths]


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="Participant code, such as THA01.")],
    key: KeyFiles,
    kind: Annotated[str, typer.Option(help="party_registry or mechanism_registry.")] = (
        "party_registry"
    ),
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Where deliveries are pushed; none: it pulls.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help="Signature suites it must use; repeat. Default: any.")
    ] = None,
    binding: Annotated[
        Binding, typer.Option(help="How its deliveries are written; it may post either.")
    ] = Binding.JSON,
    reason: Reason = "joins",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Register a participant. It may speak once it is activated."""
    with refusals():
        settings = settings_of(config, database)
        row = ParticipantRow(
            code=code,
            party=code[:3],
            kind=kind,
            name=name or code,
            state="registered",
            delivery_mode="pull" if endpoint is None else "push",
            endpoint=endpoint,
            binding=binding.value,
            suites=tuple(suite or ()),
            added_at=bootstrap.clock(),
            last_seen_at=None,
        )
        keys = _read_keys(key)
        done = carry_out(settings, add_participant(row, keys), reason, By(actor, signer, propose))
    for record in keys if done else ():
        fingerprint = digest(record.public_key_der)
        typer.echo(f"{code}\tregistered\t{record.key_id}\t{fingerprint}")


def _do(
    deed: Deed, told: str, reason: str, by: By, config: Path | None, database: str | None
) -> None:
    """Carry a deed out, and tell what is so now; a proposal tells of itself."""
    with refusals():
        done = carry_out(settings_of(config, database), deed, reason, by)
    if done:
        typer.echo(told)


def _change(
    verb: str, code: str, reason: str, by: By, config: Path | None, database: str | None
) -> None:
    told = f"{code}\t{TRANSITIONS[verb][1]}"
    _do(change_state(code, verb), told, reason, by, config, database)


@app.command()
def activate(
    code: str,
    reason: Reason = "checked",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Let a registered or suspended participant speak."""
    _change("activate", code, reason, By(actor, signer, propose), config, database)


@app.command()
def suspend(
    code: str,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Stop a participant; its messages are refused, and it is still told what concerns it."""
    _change("suspend", code, reason, By(actor, signer, propose), config, database)


@app.command()
def close(
    code: str,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Close a participant for good."""
    _change("close", code, reason, By(actor, signer, propose), config, database)


@app.command("list")
def list_participants(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """List participants with their state, keys and mailbox."""
    with refusals():
        settings = settings_of(config, database)
        opened = bootstrap.open_database(settings)
        with opened.reading() as connection:
            rows = reference.participants(connection)
            boxes = {box.recipient: box for box in mailboxes.load_all(connection)}
            keys = reference.key_records(connection)
        now = bootstrap.clock()
        valid = Counter(key.participant for key in keys if key.is_valid_at(now))
        show(
            _COLUMNS,
            [_line(row, boxes[row.code], valid[row.code], settings.retry, now) for row in rows],
            as_json=as_json,
        )


_COLUMNS = (
    "code",
    "kind",
    "state",
    "delivery",
    "binding",
    "valid_keys",
    "items",
    "acknowledged",
    "circuit",
    "next_attempt_at",
    "error",
)


def _line(
    row: ParticipantRow, box: Mailbox, valid_keys: int, schedule: RetrySchedule, now: datetime
) -> tuple[object, ...]:
    """Return one participant as the list shows it."""
    return (
        row.code,
        row.kind,
        row.state,
        row.delivery_mode,
        row.binding,
        valid_keys,
        box.last_sequence,
        box.acknowledged_sequence,
        str(schedule.circuit(box.failure_count, box.next_attempt_at, now)),
        box.next_attempt_at,
        box.last_error,
    )


@app.command()
def deliver(
    code: str,
    endpoint: Annotated[str | None, typer.Option(help="Push deliveries here.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Let it pull instead.")] = False,
    reason: Reason = "as asked",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Set how a participant receives its deliveries."""
    if pull == (endpoint is not None):
        refuse("give either --endpoint URL or --pull")
    mode = "pull" if pull else "push"
    deed, by = set_delivery(code, mode, endpoint), By(actor, signer, propose)
    _do(deed, f"{code}\t{mode}", reason, by, config, database)


@app.command()
def binding(
    code: str,
    form: Annotated[Binding, typer.Argument(help="json or xml.")],
    reason: Reason = "as asked",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Set how a participant's deliveries are written from now on; its own `hello` does too."""
    deed, by = set_binding(code, form.value), By(actor, signer, propose)
    _do(deed, f"{code}\t{form}", reason, by, config, database)


@app.command("try-now")
def try_now(code: str, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """End a participant's back-off: the next delivery goes out at once."""
    with refusals():
        administration_of(settings_of(config, database)).try_now(code)
    typer.echo(f"{code}\tdue now")


@app.command("key-add")
def key_add(
    key: Annotated[Path, typer.Argument(help="Self-signed public key document.")],
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Register a key out of band: the emergency path when the old ones are lost."""
    with refusals():
        (record,) = _read_keys([key])
        by = By(actor, signer, propose)
        done = carry_out(settings_of(config, database), add_key(record), reason, by)
    if done:
        typer.echo(f"{record.participant}\tkey added\t{record.key_id}")


@app.command("key-revoke")
def key_revoke(
    key_id: str,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Revoke a key at once; what it signed before stays valid."""
    with refusals():
        by = By(actor, signer, propose)
        done = carry_out(settings_of(config, database), revoke_key(key_id), reason, by)
    if done:
        typer.echo(f"{key_id}\trevoked")
