"""A peer that says exactly what a test wants: raw envelopes, signed, over real HTTP."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
from uuid_utils import uuid7

from hub.protocol.signed_objects import (
    MEDIA_TYPES,
    Binding,
    ObjectKind,
    SigningKeys,
    binding_of,
    open_object,
)
from keys.jws import open_signed, sign
from keys.local_signer import LocalSigner
from message_schemas import timestamps

Body = dict[str, Any]
Said = tuple[str, Body]
KINDS: dict[str, ObjectKind] = {
    "itmo-envelope+jws": "envelope",
    "itmo-receipt+jws": "receipt",
    "itmo-delivery+jws": "delivery",
}


def now() -> datetime:
    """Return the instant now, in whole milliseconds."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def seeded_signer(code: str, salt: str = "") -> LocalSigner:
    """Return a participant's Ed25519 signer, always the same for a code and salt."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hashlib.sha256(f"itmo-hub test key {code} {salt}".encode()).digest()
    return LocalSigner(Ed25519PrivateKey.from_private_bytes(seed), code)


def seeded_xml_signer(code: str, salt: str = "") -> LocalSigner:
    """Return a participant's ES256 signer for XML, always the same for a code and salt."""
    from cryptography.hazmat.primitives.asymmetric import ec

    seed = hashlib.sha256(f"itmo-hub test key for XML {code}{salt}".encode()).digest()
    return LocalSigner(ec.derive_private_key(int.from_bytes(seed), ec.SECP256R1()), code)


def payload_of(raw: bytes, typ: str) -> Any:
    """Return the JSON value of a signed object of either binding, unverified."""
    kind = KINDS.get(typ)
    if kind is None:
        return json.loads(open_signed(raw, typ).payload)
    return open_object(raw, kind).read(depth_max=64).document


@dataclass(slots=True)
class Peer:
    """One participant speaking to one hub address, in one binding."""

    code: str
    hub: str
    http: aiohttp.ClientSession
    signers: list[Any] = field(default_factory=list)
    binding: Binding = Binding.JSON

    def __post_init__(self) -> None:
        if not self.signers:
            self.signers = [seeded_signer(self.code)]

    @property
    def in_xml(self) -> "Peer":
        """Return the same participant as it speaks XML, with its key for that."""
        return replace(self, binding=Binding.XML)

    def envelope(self, recipient: str, *said: Said, **changes: Any) -> bytes:
        """Return a signed envelope; ``changes`` replace members of its payload."""
        payload = {
            "protocol": "itmo-exchange/1",
            "envelope_id": str(uuid7()),
            "sender": self.code,
            "recipient": recipient,
            "sent_at": timestamps.render(now()),
            "messages": [
                {"message_id": str(uuid7()), "type": type_, "version": 1, "body": body}
                for type_, body in said
            ],
        } | changes
        if self.binding is Binding.XML:
            keys = SigningKeys.of(self.signers, seeded_xml_signer(self.code))
            return keys.seal("envelope", payload, Binding.XML)
        return sign(json.dumps(payload).encode(), "itmo-envelope+jws", self.signers)

    async def post(self, raw: bytes, hub: str | None = None) -> tuple[int, bytes]:
        """Return status and body of the answer to posted bytes."""
        async with self.http.post(
            (hub or self.hub) + "/v1/envelopes",
            data=raw,
            headers={"Content-Type": MEDIA_TYPES[binding_of(raw)]},
        ) as response:
            body = await response.read()
            if response.status == 200:
                assert response.content_type == MEDIA_TYPES[binding_of(body)]
            return response.status, body

    async def post_until_answered(self, raw: bytes, tries: int = 100) -> bytes:
        """Post the same bytes until there is a receipt, through restarts of the hub."""
        for _ in range(tries):
            try:
                status, body = await self.post(raw)
            except (aiohttp.ClientError, OSError):
                status = 0
            if status == 200:
                return body
            await asyncio.sleep(0.1)
        raise AssertionError("no receipt")

    async def say(self, recipient: str, *said: Said, **changes: Any) -> Any:
        """Post one envelope; return the payload of its receipt."""
        status, body = await self.post(self.envelope(recipient, *said, **changes))
        assert status == 200, body
        return payload_of(body, "itmo-receipt+jws")

    async def fetch(self, after: int, wait_seconds: int = 0) -> Any:
        """Return the payload of the next delivery after an item, or None; not acknowledged."""
        receipt = await self.say(
            "XHB01", ("mailbox.fetch", {"after_sequence": after, "wait_seconds": wait_seconds})
        )
        text = receipt["outcomes"][0]["result"]["delivery"]
        return None if text is None else payload_of(text.encode(), "itmo-delivery+jws")


def approach(approach_id: str = "CA0001", parties: tuple[str, ...] = ("CHE", "GHA", "THA")) -> Said:
    """Return a message that records a cooperative approach."""
    return (
        "cooperative_approach.record",
        {
            "cooperative_approach": approach_id,
            "version": 1,
            "title": "Bangkok E-Bus Programme",
            "participating_parties": list(parties),
            "ndc_periods": [
                {"party": party, "first_year": 2021, "last_year": 2030} for party in parties
            ],
            "status": "active",
        },
    )


def authorization(
    party: str = "THA", authorization_id: str = "TH-2022-001", quantity_max: int | None = 10**9
) -> Said:
    """Return a message that records an authorization towards NDCs."""
    body: Body = {
        "authorization_id": authorization_id,
        "version": 1,
        "cooperative_approach": "CA0001",
        "authorizing_party": party,
        "authorized_on": "2022-10-01",
        "purposes": "NDC",
        "authorized_parties": [],
        "authorized_entities": [],
        "metric": "GHG",
        "sectors": ["Transportation"],
        "activity_types": ["Transport"],
        "vintage_first": 2021,
        "vintage_last": 2030,
        "valid_from": "2022-10-01",
        "changes_apply_to_first_transferred": False,
        "status": "in_force",
    }
    if quantity_max is not None:
        body["quantity_max"] = quantity_max
    return "authorization.record", body


def block(first: int, last: int, registry: str = "THA01", **changes: Any) -> Body:
    """Return a wire block of vintage 2022 under the authorization above."""
    party = registry[:3]
    return {
        "first_id": f"CA0001-{registry}-{party}-{first}-2022",
        "last_id": f"CA0001-{registry}-{party}-{last}-2022",
        "quantity": last - first + 1,
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "sector": "Transportation",
        "activity_type": "Transport",
    } | changes


def proposal(transfer_id: str, *blocks: Body, **changes: Any) -> Said:
    """Return a proposal of a first transfer of ``blocks``."""
    return (
        "transfer.proposal",
        {
            "transfer_id": transfer_id,
            "action": "first_transfer",
            "cooperative_approach": "CA0001",
            "transferring_account": "TH-1",
            "acquiring_account": "CH-1",
            "purpose": "NDC",
            "quantity": sum(one["quantity"] for one in blocks),
            "blocks": list(blocks),
        }
        | changes,
    )


def acceptance(transfer_id: str, proposal_sha256: str, **changes: Any) -> Said:
    """Return an acceptance of a transfer."""
    return (
        "transfer.acknowledgement",
        {
            "transfer_id": transfer_id,
            "decision": "accept",
            "previous_sha256": proposal_sha256,
            "reasons": [],
        }
        | changes,
    )
