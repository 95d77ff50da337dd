"""A hub without sockets: its receiver on a real database, and peers that sign for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import aiohttp

from hub import bootstrap
from hub.checks.facts import Policy
from hub.protocol.errors import HubError
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import SigningKeys
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.check_database import check_exchange, check_ledger
from hub.services.deliver import DeliveryMaker
from hub.services.load_facts import HubIdentity
from hub.services.own_keys import OwnKeys
from hub.services.receive_envelopes import Answer, EnvelopeReceiver, Handler, RecordedBatch
from hub.store import mailboxes
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from tests.integration.peers import (
    Peer,
    Said,
    acceptance,
    approach,
    authorization,
    block,
    now,
    payload_of,
    proposal,
    seeded_signer,
)

HUB = "XHB01"


@dataclass(slots=True)
class World:
    """One hub on a database. Times are real unless a test gives its own."""

    database: Database
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    handlers: Mapping[str, Handler] = field(default_factory=lambda: bootstrap.HANDLERS)
    keys: SigningKeys = field(default_factory=lambda: SigningKeys.of([seeded_signer(HUB)]))
    receiver: EnvelopeReceiver = field(init=False)
    peers: dict[str, Peer] = field(init=False)

    def __post_init__(self) -> None:
        self.restart(self.keys)
        nowhere = cast(aiohttp.ClientSession, None)  # these peers only sign
        self.peers = {
            code: Peer(code, "", nowhere) for code in ("THA01", "CHE01", "GHA01", "XMR01")
        }

    def restart(self, keys: SigningKeys) -> None:
        """Go on as a hub that was started again, with these keys."""
        self.keys = keys
        self.receiver = self.beside()

    def beside(self) -> EnvelopeReceiver:
        """Return the receiver of another process of this hub."""
        return EnvelopeReceiver(
            self.database,
            handlers=self.handlers,
            identity=self.identity,
            limits=self.limits,
            keys=OwnKeys(HUB, self.keys),
        )

    @property
    def identity(self) -> HubIdentity:
        """Return the codes of the central systems and the policy."""
        return HubIdentity(HUB, "XIR01", "XMR01", self.policy)

    @property
    def administration(self) -> Administration:
        """Return the operator's hands on this hub."""
        return Administration(self.database, self.identity, self.limits)

    @property
    def maker(self) -> DeliveryMaker:
        """Return what makes this hub's deliveries."""
        return DeliveryMaker(HUB, self.limits, OwnKeys(HUB, self.keys))

    def envelope(self, sender: str, recipient: str, *said: Said, **changes: Any) -> bytes:
        """Return a signed envelope; ``changes`` replace members of its payload."""
        return self.peers[sender].envelope(recipient, *said, **changes)

    def record(self, *raws: bytes, at: datetime | None = None) -> RecordedBatch:
        """Record envelopes as one batch."""
        at, trust = at or now(), self.receiver.data.trust
        opened = self.receiver.open_batch(raws, trust, at)
        return self.receiver.record_batch(raws, opened, trust, at)

    def post(self, raw: bytes, at: datetime | None = None) -> Answer:
        """Record one envelope and return its answer."""
        (answer,) = self.record(raw, at=at).answers
        return answer

    def say(self, sender: str, recipient: str, *said: Said, **changes: Any) -> Any:
        """Record one envelope; return the payload of its receipt."""
        return receipt_of(self.post(self.envelope(sender, recipient, *said, **changes)))

    def begin(self) -> None:
        """Record the cooperative approach and Thailand's authorization."""
        accepted(self.say("THA01", HUB, approach(), authorization()))

    def propose(self, transfer_id: str, first: int, last: int, **changes: Any) -> str:
        """Propose a first transfer to Switzerland; return the proposal's digest."""
        said = proposal(transfer_id, block(first, last), **changes)
        receipt = accepted(self.say("THA01", "CHE01", said))
        return str(receipt["envelope_sha256"])

    def transfer(self, transfer_id: str, first: int, last: int) -> None:
        """Propose and accept a first transfer to Switzerland."""
        digest = self.propose(transfer_id, first, last)
        accepted(self.say("CHE01", "THA01", acceptance(transfer_id, digest)))

    def blocks(self) -> list[tuple[int, int, str, str]]:
        """Return (first, last, registry, status) of every block of the ledger."""
        with self.database.reading() as connection:
            return [
                (one.first, one.last, one.registry, str(one.status))
                for one in all_blocks(connection, Interning())
            ]

    def prove(self) -> None:
        """Prove every invariant of the database, from its rows alone."""
        assert check_ledger(self.database) == []
        assert check_exchange(self.database) == []


def act(reason: str = "a test") -> Act:
    """Return an act of an operator, now."""
    return Act(actor="operator", reason=reason, at=now())


def receipt_of(answer: Answer) -> Any:
    """Return the payload of a receipt; the answer must be one."""
    assert not isinstance(answer, HubError), answer
    return payload_of(answer, "itmo-receipt+jws")


def accepted(receipt: Any) -> Any:
    """Return a receipt whose messages were all accepted."""
    assert {one["outcome"] for one in receipt["outcomes"]} == {"accepted"}, receipt["outcomes"]
    return receipt


def codes_of(receipt: Any) -> list[int]:
    """Return the code of each message."""
    return [one["code"] for one in receipt["outcomes"]]


def notices_to(world: World, recipient: str) -> list[tuple[str, Any]]:
    """Return (type, body) of every notice in a recipient's mailbox, in order."""
    with world.database.reading() as connection:
        items = mailboxes.items_after(connection, recipient, 0, 1_000)
    return [
        (notice["type"], notice["body"])
        for one in items
        for notice in json.loads(one.item.notices or "[]")
    ]
