"""One transfer as its signed messages tell it, checked to be one story.

1. Deliveries carry the very envelopes of the bundle, after them in the log; what they say in the
   recipient's binding of an envelope in the other one is what that envelope says.
2. There is one accepted proposal. At most one thing ended the transfer: the acquirer's answer or
   the initiator's withdrawal, each naming the proposal's digest; a deadline; or the proposal
   itself, when the hub's own registry acquires.
3. What the hub told the parties of the end is what happened; nothing it told of is left out.
4. An acknowledgement names the digest of the delivery it confirms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hub.evidence.archives import Json, RefutedError, digest
from hub.evidence.reports import NOT_PROVED, OPEN, PROVED, Finding
from hub.evidence.signatures import ENVELOPE_TYP, open_signed

PROPOSALS: Final = ("transfer.proposal", "transfer.notification")
ANSWERS: Final = ("transfer.acknowledgement", "transfer.recognition")
STATES: Final = ("completed", "rejected", "cancelled", "expired")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """One message of an envelope whose signatures were found right."""

    index: int
    sender: str
    recipient: str
    at: str
    envelope_sha256: str
    message_id: str
    type: str
    body: Json


@dataclass(slots=True)
class Record:
    """What the contents of a bundle say, by log index; all of it verified before it comes here.

    `answers` holds the hub's decision by (index, message id): its word and its result.
    """

    entries: dict[int, Json] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)
    answers: dict[tuple[int, str], tuple[str, Json]] = field(default_factory=dict)
    deliveries: dict[int, Json] = field(default_factory=dict)
    acts: dict[int, Json] = field(default_factory=dict)

    def add_envelope(self, entry: Json, raw: bytes, payload: Json) -> list[Said]:
        """Take an envelope's messages, and return them."""
        said = [
            Said(
                index=entry["index"],
                sender=str(payload["sender"]),
                recipient=str(payload["recipient"]),
                at=str(entry["at"]),
                envelope_sha256=digest(raw),
                message_id=str(one["message_id"]),
                type=str(one["type"]),
                body=dict(one["body"]),
            )
            for one in payload["messages"]
        ]
        self.said += said
        self.digests[entry["index"]] = digest(raw)
        return said

    def add_delivery(self, entry: Json, raw: bytes, payload: Json) -> None:
        """Take a delivery."""
        self.deliveries[entry["index"]] = payload
        self.digests[entry["index"]] = digest(raw)

    def answer(self, index: int, outcome: Json) -> None:
        """Take one decision of the hub. Raises RefutedError if it decided otherwise elsewhere."""
        key = (index, str(outcome["message_id"]))
        given = (str(outcome["outcome"]), dict(outcome.get("result") or {}))
        if self.answers.setdefault(key, given) != given:
            raise RefutedError(f"the hub gave two answers to a message of entry {index}")


class Narrative:
    """The story of one transfer. Its methods raise RefutedError where the story breaks."""

    def __init__(self, record: Record, transfer_id: str) -> None:
        self._record = record
        self._transfer_id = transfer_id
        self._notices: list[tuple[int, str, Json]] = []
        self._proposal: Said | None = None
        self._closing: int | None = None
        self.outcome = UNKNOWN

    def tell(self) -> Iterator[Finding]:
        """Yield what is proved of the transfer, in order."""
        for index, delivery in self._record.deliveries.items():
            self._read_delivery(index, delivery)
        proposals = [one for one in self._accepted() if one.type in PROPOSALS]
        if len(proposals) > 1:
            raise RefutedError("two accepted proposals of one transfer are in the bundle")
        if proposals:
            self._proposal = proposals[0]
            yield self._say(PROVED, self._proposal.index, _proposal_text(self._proposal))
        else:
            yield self._say(NOT_PROVED, None, "what was proposed: the content is not here")
        yield from self._tell_end()
        yield from self._tell_notices()
        yield from self._tell_acknowledgements()

    def _say(self, status: str, index: int | None, text: str) -> Finding:
        about = "transfer" if index is None else f"transfer, entry {index}"
        return Finding.of(status, about, text)

    def _accepted(self) -> Iterator[Said]:
        """Yield the messages about this transfer that the hub is shown to have accepted."""
        for one in self._record.said:
            if one.body.get("transfer_id") == self._transfer_id:
                word, _ = self._record.answers.get((one.index, one.message_id), ("", {}))
                if word == "accepted":
                    yield one

    def _read_delivery(self, index: int, delivery: Json) -> None:
        """Compare what was delivered with the envelopes of the bundle; keep the notices."""
        for item in delivery["items"]:
            of = item["log_index"]
            if of >= index:
                raise RefutedError(f"the delivery at {index} carries entry {of}, which came later")
            about_us = [
                one["body"]
                for one in item.get("notices", ())
                if one["body"].get("transfer_id") == self._transfer_id
                and one["type"] in {f"transfer.{state}" for state in STATES}
            ]
            self._notices += [(index, str(delivery["recipient"]), body) for body in about_us]
            raw = item.get("envelope")
            known = self._record.digests.get(of)
            if raw is not None and known is not None and digest(raw.encode()) != known:
                raise RefutedError(f"the delivery at {index} carries another envelope as {of}")
            if raw is not None and self._record.entries.get(of) is None:
                about_us += self._bodies_about_us(raw)
            if raw is not None and "content" in item:
                _check_content(index, item, raw)
            if about_us and of not in self._record.entries:
                raise RefutedError(f"the bundle leaves out entry {of}, which was delivered")
            for verdict in item.get("verdicts", ()):
                self._record.answer(of, verdict)

    def _bodies_about_us(self, raw: str) -> list[Json]:
        payload, _ = open_signed(raw.encode(), ENVELOPE_TYP)
        bodies = [one["body"] for one in payload["messages"]]
        return [one for one in bodies if one.get("transfer_id") == self._transfer_id]

    # --- how it ended ---------------------------------------------------------------------------

    def _tell_end(self) -> Iterator[Finding]:
        proposal = self._proposal
        ends = [*self._ends_said(), *self._ends_acted()]
        if len(ends) > 1:
            listed = ", ".join(str(index) for index, _, _ in ends)
            raise RefutedError(f"the transfer ended more than once: entries {listed}")
        if ends:
            self._closing, self.outcome, text = ends[0]
            yield self._say(PROVED, self._closing, text)
            if proposal is not None and self._closing == proposal.index:
                text = (
                    f"that {proposal.recipient} agreed: it signed nothing of it, so it must be a "
                )
                yield self._say(NOT_PROVED, None, f"{text}registry that the hub itself keeps")
        elif self._notices:
            text = "by whose word it ended: what ended it is not here, only the hub's notice of it"
            yield self._say(NOT_PROVED, None, text)
        elif proposal is not None:
            self.outcome = OPEN
            yield self._say(NOT_PROVED, None, "that the transfer ended: nothing here ends it")

    def _ends_said(self) -> Iterator[tuple[int, str, str]]:
        """Yield what messages ended: log index, state and words."""
        proposal = self._proposal
        for one in self._accepted():
            if one.type in PROPOSALS:
                _, result = self._record.answers[one.index, one.message_id]
                if result.get("state") == "completed":
                    text = f"the hub signed that {one.recipient} took it at once"
                    yield one.index, "completed", text
            elif one.type in ANSWERS or one.type == "transfer.cancellation":
                self._check_bound(one)
                words, state = _end_of(one)
                bound = "of that very proposal, by its digest" if proposal else "of the proposal"
                yield one.index, state, f"{one.sender} signed the {words} {bound} ({one.at})"

    def _check_bound(self, one: Said) -> None:
        """Check that an answer or a withdrawal is about the proposal, by whom it may be."""
        proposal = self._proposal
        if proposal is None:
            return
        if one.index <= proposal.index:
            raise RefutedError(f"entry {one.index} ends what entry {proposal.index} proposes later")
        if one.body["previous_sha256"] != proposal.envelope_sha256:
            raise RefutedError(f"entry {one.index} is not bound to the proposal: another digest")
        parties = (proposal.sender, proposal.recipient)
        if (one.sender, one.recipient) not in {parties, parties[::-1]} or (
            one.sender != parties[one.type in ANSWERS]
        ):
            raise RefutedError(f"entry {one.index} is by {one.sender}, who may not say that")

    def _ends_acted(self) -> Iterator[tuple[int, str, str]]:
        for index, act in self._record.acts.items():
            if (
                act["kind"] == "transfers.expired"
                and self._transfer_id in act["detail"]["transfers"]
            ):
                yield (
                    index,
                    "expired",
                    f"the hub ended it, as nobody answered in time ({act['at']})",
                )

    # --- what was told of it --------------------------------------------------------------------

    def _tell_notices(self) -> Iterator[Finding]:
        for index, recipient, body in self._notices:
            state = str(body["state"])
            if self._closing is None:
                self._closing, self.outcome = int(body["log_index"]), state
            if (state, body["log_index"]) != (self.outcome, self._closing):
                raise RefutedError(f"the hub told {recipient} {state}, which is not what happened")
            proposal = self._proposal
            if proposal is not None and (
                body["quantity"] != proposal.body["quantity"]
                or (body["initiator"], body["acquirer"]) != (proposal.sender, proposal.recipient)
            ):
                raise RefutedError(f"the notice at {index} is of another transfer than proposed")
            self._check_notice_digest(body)
            text = f"the hub told {recipient} under its signature: {state} at {body['closed_at']}"
            yield self._say(PROVED, index, text)

    def _check_notice_digest(self, body: Json) -> None:
        proposal, expired = self._proposal, self.outcome == "expired"
        decided = proposal.envelope_sha256 if expired and proposal else None
        decided = decided or self._record.digests.get(int(body["log_index"]))
        if decided is not None and body["previous_sha256"] != decided:
            raise RefutedError("a notice of the end names another envelope than the one that ended")

    def _tell_acknowledgements(self) -> Iterator[Finding]:
        for one in self._record.said:
            if one.type != "delivery.acknowledgement":
                continue
            for index, delivery in self._record.deliveries.items():
                ends = (delivery["recipient"], delivery["last_sequence"])
                if ends != (one.sender, one.body["up_to_sequence"]):
                    continue
                if one.body["delivery_sha256"] != self._record.digests[index]:
                    raise RefutedError(f"entry {one.index} acknowledges another delivery")
                if one.index <= index:
                    raise RefutedError(f"entry {one.index} acknowledges what comes after it")
                text = f"{one.sender} signed that it has the delivery at {index} ({one.at})"
                yield self._say(PROVED, one.index, text)


def _check_content(index: int, item: Json, raw: str) -> None:
    """Check that what a delivery says of an envelope is what its sender signed.

    A refused message's body has no other writing when it broke its form: it may be empty there.
    """
    signed, _ = open_signed(raw.encode(), ENVELOPE_TYP)
    told, messages = item["content"], list(signed["messages"])
    refused = {one["message_id"] for one in item["verdicts"] if one["outcome"] != "accepted"}
    for place, one in enumerate(told["messages"][: len(messages)]):
        if one["body"] == {} and one["message_id"] in refused:
            messages[place] = messages[place] | {"body": {}}
    if _plain(signed | {"messages": messages}) != _plain(told):
        raise RefutedError(
            f"the delivery at {index} says other things than the envelope it carries"
        )


def _plain(value: Json) -> str:
    # As text, because in Python 1 equals True.
    return json.dumps(value, sort_keys=True)


def _proposal_text(said: Said) -> str:
    body: Any = said.body
    blocks = body["blocks"]
    units = f"{body['quantity']:,} units, {blocks[0]['first_id']} to {blocks[-1]['last_id']}"
    counted = f" in {len(blocks)} blocks" if len(blocks) > 1 else ""
    accounts = f"account {body['transferring_account']} to {body['acquiring_account']}"
    verb = "notified" if said.type == "transfer.notification" else "proposed"
    return (
        f"{said.sender} {verb} {said.recipient} the transfer of {units}{counted}, from {accounts} "
        f"({said.at}); the hub accepted the proposal"
    )


def _end_of(said: Said) -> tuple[str, str]:
    """Return what an answer is called, and the state it brings."""
    match said.body.get("decision"):
        case "accept" | "recognize":
            return "acceptance", "completed"
        case "reject" | "decline":
            return "rejection", "rejected"
    return "withdrawal", "cancelled"
