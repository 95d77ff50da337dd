"""The worked examples: real bytes, made by the hub's own services at a fixed time.

1. Keys from fixed seeds: the seed of a participant's key is the SHA-256 of a published sentence.
2. A hub on an empty SQLite file, with THA01 and CHE01 and the records a transfer rests on.
3. One transfer: proposal, receipt, delivery, acknowledgement, acceptance, receipt, notice. In
   protocol.md both registries write JSON; in xml-binding.md THA01 writes XML.

Ed25519 signatures are the same each time, and so are those of ES256 here (RFC 6979): the same bytes
come out as long as the protocol stays as it is. Nothing listens and nothing waits: time is an
argument.
"""

import hashlib
import itertools
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hub import bootstrap
from hub.config import Settings
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import Binding, ObjectKind, SigningKeys
from hub.services import deliver, receive_envelopes
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import add_participant, change_state
from hub.services.deliver import DeliveryMaker
from hub.services.own_keys import OwnKeys
from hub.services.receive_envelopes import EnvelopeReceiver
from hub.store.database import Database
from hub.store.reference import ParticipantRow
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from message_schemas import timestamps

SENTENCE: Final = "itmo-exchange worked example: {}"
SENTENCE_XML: Final = "itmo-exchange worked example in XML: {}"
HUB: Final = "XHB01"
CODES: Final = (HUB, "THA01", "CHE01")
START: Final = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One signed object on the wire: its name, who made it, its type and its exact bytes."""

    name: str
    signer: str
    kind: ObjectKind
    raw: bytes

    @property
    def typ(self) -> str:
        """The type that a JWS of this kind names."""
        return f"itmo-{self.kind}+jws"

    @property
    def sha256(self) -> str:
        """The digest of the exact bytes."""
        return hashlib.sha256(self.raw).hexdigest()


def example_signer(code: str) -> LocalSigner:
    """Return the example key of a participant; its seed is the SHA-256 of ``SENTENCE``."""
    seed = hashlib.sha256(SENTENCE.format(code).encode("ascii")).digest()
    return LocalSigner(Ed25519PrivateKey.from_private_bytes(seed), code)


class DeterministicSigner:
    """The example's ES256 key, which signs the same bytes alike (RFC 6979). A ``Signer``."""

    algorithm: Final = Algorithm.ES256

    def __init__(self, code: str) -> None:
        seed = hashlib.sha256(SENTENCE_XML.format(code).encode("ascii")).digest()
        self._key = ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1())
        self._public = LocalSigner(self._key, code)

    @property
    def key_id(self) -> str:
        """The id of the key."""
        return self._public.key_id

    @property
    def public_key_der(self) -> bytes:
        """The SubjectPublicKeyInfo of the public key, DER."""
        return self._public.public_key_der

    def sign(self, data: bytes) -> bytes:
        """Return r and s, 32 bytes each."""
        encoded = self._key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))
        return b"".join(half.to_bytes(32, "big") for half in decode_dss_signature(encoded))


def example_keys(code: str, *, speaks_xml: bool) -> SigningKeys:
    """Return the example keys of a participant; with one for XML if it speaks XML."""
    return SigningKeys.of([example_signer(code)], DeterministicSigner(code) if speaks_xml else None)


def _example_salt(number: int) -> bytes:
    """Return the salt of the example's next entry, 16 bytes."""
    return hashlib.sha256(f"itmo-exchange/1 example salt {number}".encode("ascii")).digest()[:16]


def steps(xml: Collection[str] = ()) -> list[Step]:
    """Return the signed objects of the example, in the order in which they are sent.

    The participants in ``xml``, the hub among them, write XML to those who do.
    """
    salts = map(_example_salt, itertools.count(1))
    with (
        tempfile.TemporaryDirectory() as folder,
        # Salts are random; here they are derived, so that the example is always the same.
        mock.patch.object(receive_envelopes, "new_salt", side_effect=salts),
        mock.patch.object(deliver, "new_salt", side_effect=salts),
    ):
        exchange = Exchange(f"sqlite:///{Path(folder) / 'example.db'}", xml)
        try:
            return _transfer(exchange)
        finally:
            exchange.database.dispose()


class Exchange:
    """A hub's services on an empty database, with a clock that the example turns."""

    def __init__(self, database_url: str, xml: Collection[str]) -> None:
        settings = Settings(database_url=database_url)
        self.now = START
        self._keys = {code: example_keys(code, speaks_xml=code in xml) for code in CODES}
        self._bindings = {code: Binding.XML if code in xml else Binding.JSON for code in CODES}
        self.database: Database = bootstrap.open_database(settings, create=True)
        keys = self._keys[HUB]
        bootstrap.ensure_own_participants(self.database, settings, keys, self.now)
        for code in CODES[1:]:
            self._join(code)
        self._receiver = EnvelopeReceiver(
            self.database,
            handlers=bootstrap.HANDLERS,
            identity=bootstrap.identity_of(settings),
            limits=Limits(),
            keys=OwnKeys(HUB, keys),
        )
        self._maker = DeliveryMaker(HUB, Limits(), OwnKeys(HUB, keys))
        self._count = 0

    def _join(self, code: str) -> None:
        act = Act(actor="secretariat", reason="joins", at=self.now)
        row = ParticipantRow(
            code=code,
            party=code[:3],
            kind="party_registry",
            name=code,
            state="registered",
            delivery_mode="pull",
            endpoint=None,
            binding=self._bindings[code],
            suites=(),
            added_at=self.now,
            last_seen_at=None,
        )
        records = [
            KeyRecord.of(PublicKey.from_der(code, signer.public_key_der), self.now)
            for signer in self._keys[code].signers
        ]
        administration = Administration(self.database)
        administration.do(add_participant(row, records), act)
        administration.do(change_state(code, "activate"), act)

    def seal(self, sender: str, recipient: str, *said: tuple[str, Body]) -> bytes:
        """Return an envelope of ``sender``, signed half a minute after the one before."""
        self.now += timedelta(seconds=30)
        payload = {
            "protocol": "itmo-exchange/1",
            "envelope_id": self._uuid7(),
            "sender": sender,
            "recipient": recipient,
            "sent_at": timestamps.render(self.now),
            "messages": [
                {"message_id": self._uuid7(), "type": type_, "version": 1, "body": body}
                for type_, body in said
            ],
        }
        return self._keys[sender].seal("envelope", payload, self._bindings[sender])

    def _uuid7(self) -> str:
        """Return the next identifier: UUIDv7 with the clock in front and a counter behind."""
        self._count += 1
        milliseconds = int(self.now.timestamp() * 1000)
        front = f"{milliseconds:012x}"
        return f"{front[:8]}-{front[8:]}-7000-8000-{self._count:012x}"

    def post(self, raw: bytes) -> bytes:
        """Return the receipt that the hub answers with, 27 ms later."""
        self.now += timedelta(milliseconds=27)
        trust = self._receiver.data.trust
        opened = self._receiver.open_batch([raw], trust, self.now)
        (answer,) = self._receiver.record_batch([raw], opened, trust, self.now).answers
        assert isinstance(answer, bytes), answer
        return answer

    def fetch(self, recipient: str, after: int) -> bytes:
        """Return the delivery with the item after ``after``."""
        self.now += timedelta(seconds=1)
        delivery, _ = self._maker.fetch(self.database, recipient, after, self.now)
        assert delivery is not None, f"nothing after item {after} for {recipient}"
        assert delivery.body is not None, "nothing is erased here"
        return delivery.body

    def acknowledge(self, recipient: str, up_to: int, delivery: bytes) -> bytes:
        """Return the envelope that acknowledges a delivery."""
        digest = hashlib.sha256(delivery).hexdigest()
        body = {"up_to_sequence": up_to, "delivery_sha256": digest}
        return self.seal(recipient, HUB, ("delivery.acknowledgement", body))


def _transfer(exchange: Exchange) -> list[Step]:
    """Play the transfer and keep what goes over the wire."""
    exchange.post(exchange.seal("THA01", HUB, *_records()))
    exchange.post(exchange.acknowledge("CHE01", 1, exchange.fetch("CHE01", 0)))
    proposal = exchange.seal("THA01", "CHE01", _proposal())
    proposal_receipt = exchange.post(proposal)
    delivery = exchange.fetch("CHE01", 1)
    acknowledgement = exchange.acknowledge("CHE01", 2, delivery)
    exchange.post(acknowledgement)
    answer = {
        "transfer_id": "THA01-1",
        "decision": "accept",
        "previous_sha256": hashlib.sha256(proposal).hexdigest(),
        "reasons": [],
    }
    acceptance = exchange.seal("CHE01", "THA01", ("transfer.acknowledgement", answer))
    acceptance_receipt = exchange.post(acceptance)
    return [
        Step("proposal", "THA01", "envelope", proposal),
        Step("proposal-receipt", HUB, "receipt", proposal_receipt),
        Step("delivery", HUB, "delivery", delivery),
        Step("acknowledgement", "CHE01", "envelope", acknowledgement),
        Step("acceptance", "CHE01", "envelope", acceptance),
        Step("acceptance-receipt", HUB, "receipt", acceptance_receipt),
        Step("completion", HUB, "delivery", exchange.fetch("THA01", 0)),
    ]


def _records() -> tuple[tuple[str, Body], ...]:
    """Return what must be on record before the transfer."""
    period: Mapping[str, int] = {"first_year": 2021, "last_year": 2030}
    approach = {
        "cooperative_approach": "CA0001",
        "version": 1,
        "title": "Bangkok E-Bus Programme",
        "participating_parties": ["CHE", "THA"],
        "ndc_periods": [{"party": party, **period} for party in ("CHE", "THA")],
        "status": "active",
    }
    authorization = {
        "authorization_id": "TH-2022-001",
        "version": 1,
        "cooperative_approach": "CA0001",
        "authorizing_party": "THA",
        "authorized_on": "2022-10-01",
        "purposes": "NDC",
        "authorized_parties": ["CHE"],
        "authorized_entities": [],
        "quantity_max": 500_000,
        "metric": "GHG",
        "gwp_values": "AR5 GWP100",
        "sectors": ["Transportation"],
        "activity_types": ["Transport"],
        "vintage_first": 2021,
        "vintage_last": 2030,
        "valid_from": "2022-10-01",
        "changes_apply_to_first_transferred": False,
        "status": "in_force",
    }
    return ("cooperative_approach.record", approach), ("authorization.record", authorization)


def _proposal() -> tuple[str, Body]:
    block = {
        "first_id": "CA0001-THA01-THA-1-2023",
        "last_id": "CA0001-THA01-THA-1916-2023",
        "quantity": 1916,
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "sector": "Transportation",
        "activity_type": "Transport",
        "gwp_values": "AR5 GWP100",
    }
    return "transfer.proposal", {
        "transfer_id": "THA01-1",
        "action": "first_transfer",
        "cooperative_approach": "CA0001",
        "transferring_account": "TH-100-1",
        "acquiring_account": "CH-100-7",
        "purpose": "NDC",
        "quantity": 1916,
        "blocks": [block],
    }
