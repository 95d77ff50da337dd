"""`registry evidence`: prove a transfer from this end's own book, and check such a proof."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from connectors.party_registry.cli_support import AsJson, Config, failing, show
from connectors.party_registry.config import RegistryConfig, load_config
from connectors.party_registry.evidence import EvidenceUnavailableError, Found, assemble, gather
from connectors.session import state
from connectors.session.log.client import LogClient
from connectors.session.log.pins import LogPin, load_pin
from connectors.session.transport import Received, Transport
from connectors.session.trust import ParticipantsInvalidError, Trust
from hub.evidence import anchor_files, verify_evidence
from hub.evidence.reports import FAILED
from hub.evidence.verification import verify as verify_bundle
from keys.documents import parse_document
from message_schemas import timestamps

__all__ = ["app"]

app = typer.Typer(
    name="evidence", help="Evidence of a transfer, from our own book.", no_args_is_help=True
)
Out = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
REFRESH_SECONDS_MAX = 10.0


@app.command()
def export(
    transfer_id: Annotated[str, typer.Argument(metavar="TRANSFER")],
    out: Out,
    config: Config,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take the proofs kept here; do not ask the hub.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write what we hold of a transfer into one file that proves it, offline, for ever."""
    with failing():
        settings = load_config(config)
        found, trust, pin = _read(settings, transfer_id)
        if not offline:
            trust = asyncio.run(_refresh(settings, found, trust))
        made_at = timestamps.render(datetime.now(UTC))
        bundle = assemble(found, trust, made_by=settings.participant, made_at=made_at)
        _check(bundle, _anchor(trust, pin, None, participants=False))
        out.write_bytes(bundle)
    shown = {"file": str(out), "bytes": len(bundle), "entries": len(found.pieces)}
    show(shown, as_json=as_json)


def _read(settings: RegistryConfig, transfer_id: str) -> tuple[Found, Trust, LogPin]:
    """Return what the book holds of a transfer, and whom it believes."""
    from connectors.party_registry.connector import open_registry_database

    database = open_registry_database(settings)
    try:
        found = database.read_now(gather, transfer_id)
        trust, pin = _believed(settings, found.participants), database.read_now(load_pin)
    finally:
        database.close()
    if pin is None:
        raise EvidenceUnavailableError("the hub's log is not known here yet: run the connector")
    return found, trust, pin


def _believed(settings: RegistryConfig, participants: bytes) -> Trust:
    anchor = tuple(parse_document(path.read_bytes()) for path in settings.hub.key_documents)
    trust = Trust.of_anchor(settings.hub.code, anchor)
    try:
        return trust.restored(participants)
    except ParticipantsInvalidError as error:
        raise EvidenceUnavailableError(f"the kept list of participants: {error}") from error


async def _refresh(settings: RegistryConfig, found: Found, trust: Trust) -> Trust:
    """Take newer proofs and a newer list of participants from the hub, as far as it answers.

    Nothing of it is believed by being here: the bundle is verified before it is written.
    """
    session = settings.session_settings()
    async with aiohttp.ClientSession() as client:
        transport = Transport(
            client,
            session.hub_url,
            seconds_max=REFRESH_SECONDS_MAX,
            bytes_max=session.answer_bytes_max,
        )
        listed = await transport.fetch("/v1/participants")
        if isinstance(listed, Received):
            skew = timedelta(seconds=session.clock_skew_seconds_max)
            # A list that is not to be believed changes nothing: the kept one stays.
            with contextlib.suppress(ParticipantsInvalidError):
                trust = trust.with_list(listed.body, datetime.now(UTC), skew)
                found.participants = listed.body
        log = LogClient(transport)
        for index in sorted(found.pieces):
            proof = await log.proof(index)
            if not isinstance(proof, tuple):
                break
            found.proofs[index] = proof[1]
    return trust


def _anchor(trust: Trust, pin: LogPin, policy: bytes | None, *, participants: bool) -> bytes:
    """Return an anchor of what this end pinned; without a policy no witness is asked for."""
    if policy is None:
        policy = "".join([*(f"log {vkey}\n" for vkey in pin.vkeys), "quorum none\n"]).encode()
    ders = {one.key_id: one.public_key_der for one in trust.store.records()}
    hub = {key_id: der for key_id, der in ders.items() if key_id[:5] == trust.hub}
    others = {key_id: der for key_id, der in ders.items() if key_id not in hub and participants}
    return anchor_files.write(policy, hub, others)


def _check(bundle: bytes, anchor: bytes) -> None:
    """Raise EvidenceUnavailableError if the bundle does not prove what it claims."""
    report = verify_bundle(bundle, anchor)
    false = [one for one in report.findings if one.status == FAILED]
    if false:
        text = "; ".join(f"{one.about}: {one.text}" for one in false[:3])
        raise EvidenceUnavailableError(f"what is held here does not prove the transfer: {text}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    trust: Annotated[Path, typer.Option("--trust", help="The anchor: whom you trust.")],
    as_json: AsJson = False,
) -> None:
    """Check a bundle offline, with the stand-alone verifier's own code.

    Exit status 0: proved; 1: something is false; 2: the file or the anchor cannot be read.
    """
    with failing():
        bundle, anchor_file = file.read_bytes(), trust.read_bytes()
    raise typer.Exit(verify_evidence.tell(bundle, anchor_file, as_json=as_json))


@app.command()
def anchor(
    out: Out,
    config: Config,
    policy: Annotated[
        Path | None, typer.Option(help="A C2SP tlog-policy file with the witnesses to ask for.")
    ] = None,
    participants: Annotated[
        bool, typer.Option("--participants", help="Pin every participant's keys as known here.")
    ] = False,
) -> None:
    """Write the anchor of what this end has pinned: the log's keys and the hub's."""
    from connectors.party_registry.connector import open_registry_database

    with failing():
        settings = load_config(config)
        database = open_registry_database(settings)
        try:
            listed = database.read_now(state.load, state.PARTICIPANTS)
            pin = database.read_now(load_pin)
        finally:
            database.close()
        if listed is None or pin is None:
            raise EvidenceUnavailableError("the hub's log is not known here yet: run the connector")
        witnesses = None if policy is None else policy.read_bytes()
        trust = _believed(settings, listed)
        out.write_bytes(_anchor(trust, pin, witnesses, participants=participants))
    typer.echo(str(out))
