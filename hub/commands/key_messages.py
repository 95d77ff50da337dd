"""``itmo-hub keys rotate|revoke``: a participant's own signed messages about its keys."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from hub.commands.output import refusals, refuse, show_json
from keys.cli import app
from keys.possession import sign_possession
from keys.signing import open_signer
from message_schemas import timestamps

Hub = Annotated[str, typer.Option(help="Address of the hub.")]
Participant = Annotated[str, typer.Option(help="Whose key: a code such as THA01.")]
SignerUris = Annotated[list[str], typer.Option("--signer", help="URI of a current key; repeat.")]
HubCode = Annotated[str, typer.Option(help="Code of the hub.")]


@app.command()
def rotate(
    hub: Hub,
    participant: Participant,
    signer: SignerUris,
    new: Annotated[str, typer.Option(help="URI of the new key.")],
    starts_in_seconds: Annotated[int, typer.Option(help="When the new key begins.")] = 86_400,
    overlap_seconds: Annotated[int, typer.Option(help="How long the old one goes on.")] = 604_800,
    hub_code: HubCode = "XHB01",
) -> None:
    """Announce a new key to the hub, signed with a current one; both work during the overlap."""
    with refusals():
        starts_at = _now() + timedelta(seconds=starts_in_seconds)
        new_signer = open_signer(new, participant=participant)
        document = sign_possession(new_signer, participant, valid_from=starts_at)
        body = {
            "key_document": document.decode(),
            "starts_at": timestamps.render(starts_at),
            "overlap_seconds": overlap_seconds,
        }
        _say(hub, participant, signer, hub_code, ("key.rotate", body))


@app.command()
def revoke(
    hub: Hub,
    participant: Participant,
    signer: SignerUris,
    key_id: Annotated[str, typer.Argument(help="The key to revoke.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    hub_code: HubCode = "XHB01",
) -> None:
    """Revoke one of the participant's keys at the hub, at once."""
    with refusals():
        body = {"key_id": key_id, "reason": reason}
        _say(hub, participant, signer, hub_code, ("key.revoke", body))


def _now() -> datetime:
    """Return the instant now, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _say(
    hub: str, participant: str, uris: list[str], hub_code: str, message: tuple[str, dict[str, Any]]
) -> None:
    """Post one message and print its outcome; exit 1 when it was refused."""
    from uuid_utils import uuid7

    from hub.protocol.envelopes import PROTOCOL
    from hub.protocol.signed_objects import SigningKeys, open_object

    signers = [open_signer(uri, participant=participant) for uri in uris]
    envelope = {
        "protocol": PROTOCOL,
        "envelope_id": str(uuid7()),
        "sender": participant,
        "recipient": hub_code,
        "sent_at": timestamps.render(_now()),
        "messages": [
            {"message_id": str(uuid7()), "type": message[0], "version": 1, "body": message[1]}
        ],
    }
    raw = SigningKeys.of(signers).seal("envelope", envelope)
    status, answer = asyncio.run(_post(hub, raw))
    if status != 200:
        refuse(answer.decode(errors="replace"))
    outcome = open_object(answer, "receipt").read().document["outcomes"][0]
    show_json(outcome)
    if outcome["outcome"] != "accepted":
        raise typer.Exit(1)


async def _post(hub: str, raw: bytes) -> tuple[int, bytes]:
    import aiohttp

    from hub.protocol.envelopes import MEDIA_TYPE

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.post(
                hub.rstrip("/") + "/v1/envelopes", data=raw, headers={"Content-Type": MEDIA_TYPE}
            ) as response,
        ):
            return response.status, await response.read()
    except aiohttp.ClientError as error:
        refuse(f"{hub} cannot be reached: {error}")


__all__ = ["app"]
