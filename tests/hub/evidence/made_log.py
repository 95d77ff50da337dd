"""A log made of values: two registries, a hub, witnesses, and one transfer told in any variant.

Nothing here is the hub's own code but the log's formats and the signing of messages, so that the
verifier is tested against what a hub may have written, also against what ours never would.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from hub.evidence import stories
from hub.evidence.bundles import BundleItem, BundleKey, Evidence, write
from hub.evidence.reports import Report
from hub.evidence.verification import verify
from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.entries import Entry, PartyStep, commitment, encode, encode_salt
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import inclusion_proof, root_of
from keys.algorithms import Algorithm
from keys.documents import format_time
from keys.jws import sign
from keys.local_signer import LocalSigner
from keys.possession import sign_possession
from keys.xml_signatures import sign_xml
from message_schemas import xml_codec
from tests.hub.evidence.made_trust import (
    BUYER,
    HUB,
    ORIGIN,
    SELLER,
    START,
    Json,
    Signers,
    Trusted,
    seeded_signer,
)

TRANSFER = "THA01-17"


@dataclass(slots=True)
class MadeLog:
    """A log that grows by what is said in it; ``at`` moves on by a second an entry."""

    entries: list[bytes] = field(default_factory=list)
    salts: list[bytes | None] = field(default_factory=list)
    contents: list[dict[str, bytes | None]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    hub_signers: Signers = field(default_factory=lambda: [seeded_signer(participant=HUB)])
    hub_xml_signer: LocalSigner = field(
        default_factory=lambda: seeded_signer(Algorithm.ES256, HUB, "xml")
    )
    speaks_xml: frozenset[str] = frozenset()
    sequence: dict[str, int] = field(default_factory=dict)
    payloads: dict[int, Json] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """The index of the next entry."""
        return len(self.entries)

    @property
    def at(self) -> str:
        """The hub's time of the next entry."""
        return format_time(START + timedelta(seconds=self.index))

    @property
    def salt(self) -> bytes:
        """The salt of the next entry."""
        return sha256(f"salt {self.index}".encode()).digest()[:16]

    def append(
        self,
        kind: str,
        sender: str,
        recipient: str,
        parties: Sequence[str],
        **contents: bytes,
    ) -> int:
        """Append one leaf; return its index."""
        steps = []
        for code in sorted(parties):
            count, last = self.counts.get(code, (0, -1))
            steps.append(PartyStep(code, count + 1, None if last < 0 else last))
            self.counts[code] = (count + 1, self.index)
        shown = {name: commitment(self.salt, content) for name, content in contents.items()}
        index = self.index
        entry = Entry(index, kind, self.at, sender, recipient, tuple(steps), shown)
        self.salts.append(self.salt if contents else None)
        self.contents.append(dict(contents))
        self.kinds.append(kind)
        self.entries.append(encode(entry))
        return index

    def sealed(self, kind: str, payload: Json, signers: Signers, code: str) -> bytes:
        """Return the signed object in the binding that the participant ``code`` speaks."""
        if code not in self.speaks_xml:
            return sign(json.dumps(payload).encode(), f"itmo-{kind}+jws", signers)
        signer = self.hub_xml_signer if signers == self.hub_signers else signers[0]
        return sign_xml(xml_codec.encode_document(kind, payload), signer)

    def act(self, kind: str, subject: str, detail: Json, told: Sequence[str] = ()) -> int:
        """Append an administrator's act."""
        document = {
            "format": "itmo-act/1",
            "log_index": self.index,
            "at": self.at,
            "kind": kind,
            "actor": "Ada Administrator",
            "subject": subject,
            "reason": "letter of 2026-11-20",
            "detail": detail,
            "statements": [],
        }
        return self.append("act", HUB, HUB, told, act=json.dumps(document).encode())

    def register(self, *signers: LocalSigner, since: datetime = START - timedelta(days=1)) -> int:
        """Append the act that registers a participant with its keys."""
        keys = [
            {
                "key_id": signer.key_id,
                "algorithm": signer.algorithm.value,
                "public_key": base64.b64encode(signer.public_key_der).decode(),
                "valid_from": format_time(since),
            }
            for signer in signers
        ]
        return self.act("participant.add", signers[0].key_id[:5], {"keys": keys})

    def envelope(
        self,
        signers: Signers,
        recipient: str,
        type_: str,
        body: Json,
        *,
        outcome: str = "accepted",
        result: Json | None = None,
        sender: str | None = None,
    ) -> int:
        """Append an envelope of one message with the hub's receipt."""
        sender = sender or signers[0].key_id[:5]
        message_id = f"m-{self.index}"
        message = {"message_id": message_id, "type": type_, "version": 1, "body": body}
        payload = {
            "protocol": "itmo-exchange/1",
            "envelope_id": f"e-{self.index}",
            "sender": sender,
            "recipient": recipient,
            "sent_at": self.at,
            "messages": [message],
        }
        raw = self.sealed("envelope", payload, signers, sender)
        self.payloads[self.index] = payload
        receipt = {
            "protocol": "itmo-exchange/1",
            "receipt_for": f"e-{self.index}",
            "sender": HUB,
            "recipient": sender,
            "envelope_sha256": sha256(raw).hexdigest(),
            "received_at": self.at,
            "log_index": self.index,
            "entry_salt": encode_salt(self.salt),
            "rulebook": "2026-11-22",
            "outcomes": [
                {
                    "message_id": message_id,
                    "outcome": outcome,
                    "code": 0,
                    "name": "OK",
                    "findings": [],
                    "result": result or {},
                }
            ],
        }
        signed = self.sealed("receipt", receipt, self.hub_signers, sender)
        parties = {sender, recipient} - {HUB, "XIR01"}
        return self.append(
            "envelope", sender, recipient, sorted(parties), envelope=raw, receipt=signed
        )

    def deliver(self, recipient: str, items: Sequence[tuple[int, Sequence[Json]]]) -> int:
        """Append a delivery of (log index, notices) items; envelopes of others are carried."""
        first = self.sequence.get(recipient, 0) + 1
        self.sequence[recipient] = first + len(items) - 1
        payload = {
            "protocol": "itmo-exchange/1",
            "sender": HUB,
            "recipient": recipient,
            "first_sequence": first,
            "last_sequence": first + len(items) - 1,
            "log_index": self.index,
            "entry_salt": encode_salt(self.salt),
            "created_at": self.at,
            "items": [
                self._item(recipient, number, index, notices)
                for number, (index, notices) in enumerate(items, start=first)
            ],
        }
        raw = self.sealed("delivery", payload, self.hub_signers, recipient)
        return self.append("delivery", HUB, recipient, [recipient], delivery=raw)

    def _item(self, recipient: str, number: int, index: int, notices: Sequence[Json]) -> Json:
        item: Json = {"sequence": number, "log_index": index, "recorded_at": self.at}
        raw = self.contents[index].get("envelope")
        salt = self.salts[index]
        if raw is not None and salt is not None:
            payload = self.payloads[index]
            if payload["recipient"] == recipient:
                message = payload["messages"][0]["message_id"]
                item["envelope"] = raw.decode()
                if self.says_content(payload["sender"], recipient):
                    item["content"] = payload
                item["entry_salt"] = encode_salt(salt)
                item["verdicts"] = [{"message_id": message, "outcome": "accepted", "code": 0}]
        if notices:
            item["notices"] = list(notices)
        return item

    def says_content(self, sender: str, recipient: str) -> bool:
        """Tell whether the hub says again what the original says: in the other binding."""
        return (sender in self.speaks_xml) != (recipient in self.speaks_xml)

    # --- the tree -------------------------------------------------------------------------------

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile of a log of less than 256 entries."""
        assert (level, index) == (0, 0)
        return b"".join(leaf_hash(one) for one in self.entries[:width])

    def checkpoint(self) -> Checkpoint:
        """Return the tree head."""
        return Checkpoint(ORIGIN, len(self.entries), root_of(len(self.entries), self.tile))


def proposal_body(**changes: Any) -> Json:
    """Return the body of the proposal."""
    block = {
        "first_id": "CA0001-THA01-THA-1-2022",
        "last_id": "CA0001-THA01-THA-1900-2022",
        "quantity": 1900,
        "authorization_id": "TH-2022-001",
        "mitigation_type": "Emission reductions",
    }
    return {
        "transfer_id": TRANSFER,
        "action": "first_transfer",
        "cooperative_approach": "CA0001",
        "transferring_account": "TH-GOV-1",
        "acquiring_account": "CH-FOEN-1",
        "purpose": "NDC",
        "quantity": 1900,
        "blocks": [block],
    } | changes


@dataclass(slots=True)
class Story:
    """One transfer in a made log. Steps may be replaced before ``bundle`` is asked for."""

    ending: str = "completed"
    seller: Signers = field(default_factory=lambda: [seeded_signer(participant=SELLER)])
    buyer: Signers = field(default_factory=lambda: [seeded_signer(participant=BUYER)])
    log: MadeLog = field(default_factory=MadeLog)
    trusted: Trusted = field(default_factory=Trusted)
    roles: dict[int, str] = field(default_factory=dict)
    before_proposal: Callable[["Story"], object] = lambda _: None
    proposing: Signers = ()
    answering: Signers = ()
    filler: int = 30

    @property
    def hub(self) -> Signers:
        """The hub's signers in both bindings."""
        return [*self.log.hub_signers, self.log.hub_xml_signer]

    def note(self, index: int, role: str) -> int:
        """Remember that an entry belongs to the bundle."""
        self.roles[index] = role
        return index

    def sha(self, index: int) -> str:
        """Return the digest of the envelope or delivery at an index."""
        contents = self.log.contents[index]
        return sha256(contents.get("envelope") or contents.get("delivery") or b"").hexdigest()

    def tell(self, **changes: Any) -> "Story":
        """Write the whole story into the log; ``changes`` are members of the closing message."""
        log = self.log
        log.append("genesis", "", "", [])
        self.note(log.register(*self.seller), f"keys of {SELLER}")
        self.note(log.register(*self.buyer), f"keys of {BUYER}")
        self.before_proposal(self)
        proposed = self.note(
            log.envelope(
                self.proposing or self.seller,
                BUYER,
                "transfer.proposal",
                proposal_body(),
                sender=SELLER,
            ),
            "proposal",
        )
        delivered = self.note(log.deliver(BUYER, [(proposed, [])]), "delivery of the proposal")
        self._acknowledge(self.buyer, delivered)
        if self.ending == "open":
            return self
        closing = self._close(proposed, changes)
        notice = self.notice(proposed, closing)
        for code, signers in ((SELLER, self.seller), (BUYER, self.buyer)):
            told = self.note(log.deliver(code, [(closing, [notice])]), f"notice to {code}")
            self._acknowledge(signers, told)
        for number in range(self.filler):
            log.act("account.open", f"XIR01/A-{number}", {})
        return self

    def rotate(self, signers: Signers, new: LocalSigner, overlap_seconds: int = 3600) -> int:
        """Append the announcement of a new key, valid from that entry's time on."""
        start = START + timedelta(seconds=self.log.index)
        document = sign_possession(new, new.key_id[:5], valid_from=start)
        body = {
            "key_document": document.decode(),
            "starts_at": format_time(start),
            "overlap_seconds": overlap_seconds,
        }
        return self.note(self.log.envelope(signers, HUB, "key.rotate", body), "new key")

    def _close(self, proposed: int, changes: Json) -> int:
        if self.ending == "expired":
            detail = {"transfers": ["GHA01-3", TRANSFER]}
            return self.note(
                self.log.act("transfers.expired", "2 transfers", detail, [SELLER, BUYER]), "expiry"
            )
        body: Json = {"transfer_id": TRANSFER, "previous_sha256": self.sha(proposed)} | changes
        if self.ending == "cancelled":
            index = self.log.envelope(self.seller, BUYER, "transfer.cancellation", body)
            return self.note(index, "withdrawal")
        decision = "accept" if self.ending == "completed" else "reject"
        body = {"decision": decision, "reasons": []} | body
        signers = self.answering or self.buyer
        index = self.log.envelope(signers, SELLER, "transfer.acknowledgement", body)
        return self.note(index, "answer")

    def notice(self, proposed: int, closing: int, **changes: Any) -> Json:
        """Return the notice of the end."""
        decided = proposed if self.ending == "expired" else closing
        body = {
            "transfer_id": TRANSFER,
            "mode": "move",
            "state": self.ending,
            "closed_at": self.log.at,
            "log_index": closing,
            "quantity": 1900,
            "initiator": SELLER,
            "acquirer": BUYER,
            "previous_sha256": self.sha(decided),
        } | changes
        return {"type": f"transfer.{self.ending}", "version": 1, "body": body}

    def _acknowledge(self, signers: Signers, delivered: int) -> None:
        code = signers[0].key_id[:5]
        body = {
            "up_to_sequence": self.log.sequence[code],
            "delivery_sha256": self.sha(delivered),
        }
        index = self.log.envelope(signers, HUB, "delivery.acknowledgement", body)
        self.note(index, f"acknowledgement by {code}")

    # --- the bundle -----------------------------------------------------------------------------

    def keys(self) -> list[BundleKey]:
        """Return the keys, as an exporter would list them."""
        window = {"valid_from": format_time(START - timedelta(days=1))}
        found = [
            BundleKey.of(one.key_id, one.algorithm.value, one.public_key_der, **window)
            for one in (*self.seller, *self.buyer)
        ]
        hub = [
            BundleKey.of(one.key_id, one.algorithm.value, one.public_key_der) for one in self.hub
        ]
        return [*found, *hub]

    def evidence(
        self, cosigners: Sequence[str] = ("w1.example", "w3.example"), *, settle: bool = True
    ) -> Evidence:
        """Return the evidence of the transfer."""
        checkpoint = self.log.checkpoint()
        note = self.trusted.sign(checkpoint, cosigners, settle=settle)
        items = [
            BundleItem(
                index=index,
                kind=self.log.kinds[index],
                role=role,
                entry=self.log.entries[index],
                proof=self._proof(index, checkpoint, note),
                salt=self.log.salts[index],
                contents=self.log.contents[index],
            )
            for index, role in sorted(self.roles.items())
        ]
        return Evidence(
            transfer_id=TRANSFER,
            made_at=self.log.at,
            made_by=HUB,
            log_origin=ORIGIN,
            checkpoint=note.encode(),
            items=items,
            keys=self.keys(),
        )

    def _proof(self, index: int, checkpoint: Checkpoint, note: str) -> bytes:
        path = inclusion_proof(index, checkpoint.size, self.log.tile)
        return ProofFile(index, tuple(path), note, self.log.entries[index]).render().encode()


def bundle_of(evidence: Evidence) -> bytes:
    """Return the file of some evidence."""
    return write(evidence, stories.render(evidence))


def report_on(evidence: Evidence, anchor: bytes) -> Report:
    """Return what the verifier says to a bundle."""
    return verify(bundle_of(evidence), anchor)


def failures(report: Report) -> str:
    """Return everything that a report calls false, one finding a line."""
    lines = [f"{one.about}: {one.text}" for one in report.findings if one.status == "FAILED"]
    return "\n".join(lines)
