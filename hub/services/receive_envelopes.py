"""Take a batch of envelopes from peers, from their bytes to recorded answers.

1. Open each: size, then signature over the exact bytes, then schema (no database). While the hub
   has no key that may sign the answer, nothing is opened and the answer is "try later".
2. Lock the head. If keys or reference data changed since, load them; reopen what was judged by
   another set of keys.
3. Recognise retries: the same id and bytes get the receipt they got before, byte for byte; the same
   id with other bytes is refused and alarmed.
4. Load the facts for all, decide each message in memory, in order.
5. Seal a receipt for each envelope, record everything, move the head. Then commit.

All of it is one database transaction. Receipts leave only after its commit, deliveries later.
An envelope that changes keys ends its batch: those behind it are judged by the new keys.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.checks import rulebook
from hub.checks.facts import MessageContext
from hub.protocol.envelopes import (
    PROTOCOL,
    OpenEnvelope,
    OpenMessage,
    open_envelope,
)
from hub.protocol.errors import PeerError, UnavailableError
from hub.protocol.limits import Limits
from hub.protocol.questions import asks_hub, asks_mechanism
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, binding_of
from hub.services import crash_points, outcomes, reference_data, xml_threads
from hub.services.acts import new_salt
from hub.services.batch_work import BatchWork
from hub.services.load_facts import HubIdentity, load_work
from hub.services.own_keys import OwnKeys
from hub.services.record_batch import record_work
from hub.services.reference_data import ReferenceData
from hub.services.sealing import seal
from hub.store import alerts, envelopes
from hub.store import head as heads
from hub.store.database import Database
from hub.store.envelopes import EnvelopeRow, StoredAnswer
from hub.store.head import Head
from hub.store.interning import Interning
from hub.transparency_log.entries import encode_salt
from keys.trust import TrustStore
from message_schemas import timestamps
from message_schemas.envelopes import Outcome, Receipt, Verdict

Handler = Callable[[MessageContext, BatchWork], Outcome]
Opened = OpenEnvelope | PeerError | UnavailableError
Answer = bytes | PeerError | UnavailableError

_KEY_TYPES = frozenset({"key.rotate", "key.revoke"})


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The answers in the order of the batch, and the recipients that have something new."""

    answers: list[Answer]
    recipients: list[str]


class EnvelopeReceiver:
    """The use case, with what it needs for its whole life. One thread records at a time."""

    def __init__(
        self,
        database: Database,
        *,
        handlers: Mapping[str, Handler],
        identity: HubIdentity,
        limits: Limits,
        keys: OwnKeys,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._identity = identity
        self._limits = limits
        self._keys = keys
        self._interning = Interning()
        self._keeping = threading.Lock()
        with database.reading() as connection:
            self._data = reference_data.load(connection, heads.read(connection))

    @property
    def data(self) -> ReferenceData:
        """Return the newest reference data this process has seen."""
        return self._data

    def is_question(self, item: OpenEnvelope) -> bool:
        """Tell whether an envelope only asks the hub, and so is never recorded."""
        to_hub = item.envelope.recipient == self._identity.hub
        return all(asks_hub(one.message.type, to_hub=to_hub) for one in item.messages)

    def refresh(self, connection: Connection, head: Head) -> ReferenceData:
        """Return reference data as of ``head``, loaded again if it moved.

        Several threads ask; what is kept never goes back to an older version.
        """
        data = self._data
        if data.is_current(head):
            return data
        loaded = reference_data.load(connection, head)
        with self._keeping:
            if self._data.is_current(head):
                return self._data
            if loaded.is_newer_than(self._data):
                self._data = loaded
        return loaded

    def look_again(self) -> None:
        """See what another process or the operator changed. Raises DatabaseUnavailableError."""
        with self._database.reading() as connection:
            self.refresh(connection, heads.read(connection))

    def open_batch(self, raws: Sequence[bytes], trust: TrustStore, now: datetime) -> list[Opened]:
        """Step 1: open each; a fault of one does not touch the others.

        XML of strangers is parsed here: only in threads that are replaced (``xml_threads``).
        """
        opened: list[Opened] = []
        for raw in raws:
            try:
                self._require_answerable(raw, trust, now)
                opened.append(open_envelope(raw, trust, self._limits, now))
            except PeerError as error:
                # Without its traceback, whose frames keep the document's whole tree alive: a
                # hundred times its bytes, until everybody of the batch has an answer.
                opened.append(PeerError(error.code, error.detail))
            except UnavailableError as error:
                opened.append(error)
        return opened

    def _require_answerable(self, raw: bytes, trust: TrustStore, now: datetime) -> None:
        """Raise PeerError for XML where the hub has no key for it; UnavailableError for a bad key.

        A transaction decides only what was opened with its own trust data: so no receipt is ever
        signed by a key that was revoked before that receipt's own place in the log.
        """
        binding = binding_of(raw)
        if not self._keys.keys.speaks(binding):
            raise PeerError(
                ResponseCode.MEDIA_TYPE_NOT_SUPPORTED,
                "this hub has no key that signs XML, so it takes none; send JSON, or ask its "
                "operator for an ES256 key (`xml_signer`)",
            )
        self._keys.require_open(trust, binding, now)
        xml_threads.count_bytes(raw)

    def record_batch(
        self, raws: Sequence[bytes], opened: list[Opened], trust: TrustStore, now: datetime
    ) -> RecordedBatch:
        """Steps 2 to 5, in as many transactions as changes of keys demand (nearly always one).

        Raises DatabaseUnavailableError: nothing of the failing transaction was recorded.
        """
        answers: list[Answer] = []
        recipients: set[str] = set()
        while len(answers) < len(raws):
            rest = slice(len(answers), None)
            if trust is not self._data.trust:
                trust = self._data.trust
                opened[rest] = self.open_batch(raws[rest], trust, now)
            part = opened[: len(answers) + _until_key_change(opened[rest])][rest]
            refused = [item for item in part if not isinstance(item, OpenEnvelope)]
            if len(refused) == len(part):  # garbage never takes the writers' lock
                self.look_again()
                if trust is self._data.trust:
                    answers.extend(refused)
                continue
            try:
                with self._database.writing() as connection:
                    head = heads.lock(connection)
                    data = self.refresh(connection, head)
                    if data.trust is not trust:
                        continue
                    done, told = self._record(connection, head, data, part, now)
                    crash_points.reach("intake.before_commit")
            except BaseException:
                self._interning.forget()
                raise
            crash_points.reach("intake.after_commit")
            answers.extend(done)
            recipients.update(told)
            if any(isinstance(item, OpenEnvelope) and _changes_keys(item) for item in part):
                self.look_again()
        return RecordedBatch(answers, sorted(recipients))

    def _record(
        self,
        connection: Connection,
        head: Head,
        data: ReferenceData,
        part: Sequence[Opened],
        now: datetime,
    ) -> tuple[list[Answer], list[str]]:
        """Decide and record one transaction's worth; return answers and told recipients."""
        known = envelopes.find_answers(
            connection,
            {
                (item.envelope.sender, item.envelope.envelope_id)
                for item in part
                if isinstance(item, OpenEnvelope)
            },
        )
        fresh = _first_seen(part, known)
        sealed: dict[tuple[str, str], StoredAnswer] = dict(known)
        told: list[str] = []
        if fresh:
            work = load_work(
                connection,
                self._interning,
                fresh,
                head,
                data,
                identity=self._identity,
                limits=self._limits,
                now=now,
            )
            work.writes_xml = self._keys.keys.speaks(Binding.XML)
            rows = [self._decide(item, work) for item in fresh]
            told = record_work(connection, self._interning, work, head, rows)
            sealed.update(
                ((row.sender, row.envelope_id), StoredAnswer(row.sha256, row.receipt))
                for row in rows
            )
        return [_answer(connection, item, sealed, now) for item in part], told

    def _decide(self, item: OpenEnvelope, work: BatchWork) -> EnvelopeRow:
        """Decide the messages of one envelope and seal its receipt."""
        envelope = item.envelope
        log_index = work.begin_entry()
        spoiled = _fault_of_envelope(item, work, self._limits)
        found = [
            outcomes.refused_for(message.message.message_id, *spoiled)
            if spoiled is not None
            else self._decide_message(item, message, position, work)
            for position, message in enumerate(item.messages)
        ]
        self._forward(item, found, work)
        work.end_entry()
        salt = new_salt()
        receipt = self._seal_receipt(
            item, found, work.reference.trust, log_index=log_index, salt=salt, now=work.facts.now
        )
        return EnvelopeRow(
            log_index=log_index,
            sender=envelope.sender,
            envelope_id=envelope.envelope_id,
            sha256=item.sha256,
            recipient=envelope.recipient,
            received_at=work.facts.now,
            key_ids=" ".join(item.key_ids),
            salt=salt,
            body=item.raw,
            receipt=receipt,
            changes_keys=_changes_keys(item),
        )

    def _decide_message(
        self, item: OpenEnvelope, message: OpenMessage, position: int, work: BatchWork
    ) -> Outcome:
        said = message.message
        if message.body is None:
            return outcomes.refused_for_faults(said.message_id, message.faults)
        context = MessageContext(
            sender=item.envelope.sender,
            recipient=item.envelope.recipient,
            message_id=said.message_id,
            type=said.type,
            version=said.version,
            body=message.body,
            log_index=work.log_index,
            position=position,
            envelope_sha256=item.sha256,
            received_at=work.facts.now,
        )
        return self._handlers[said.type](context, work)

    def _forward(self, item: OpenEnvelope, found: Sequence[Outcome], work: BatchWork) -> None:
        """Hand the envelope on if its addressee is a participant and any message was accepted."""
        recipient = item.envelope.recipient
        own = (self._identity.hub, self._identity.international_registry)
        if recipient in own or not any(one.outcome == outcomes.ACCEPTED for one in found):
            return
        work.forward(
            recipient,
            tuple(
                Verdict(
                    message_id=one.message_id,
                    outcome=one.outcome,
                    code=one.code,
                    result=one.result,
                )
                for one in found
            ),
        )

    def require_answerable(self, item: OpenEnvelope, now: datetime) -> TrustStore:
        """Look again at what changed; return the trust data by which ``item`` can be answered.

        Raises UnavailableError while the hub's keys for its binding speak no more, and
        DatabaseUnavailableError.
        """
        self.look_again()
        trust = self._data.trust
        self._keys.require_open(trust, item.binding, now)
        return trust

    def seal_answer(self, item: OpenEnvelope, found: Sequence[Outcome], now: datetime) -> bytes:
        """Return the hub-signed answer to questions. Raises as ``require_answerable``."""
        trust = self.require_answerable(item, now)
        return self._seal_receipt(item, found, trust, log_index=None, now=now)

    def _seal_receipt(
        self,
        item: OpenEnvelope,
        found: Sequence[Outcome],
        trust: TrustStore,
        *,
        log_index: int | None,
        now: datetime,
        salt: bytes | None = None,
    ) -> bytes:
        """Return the hub-signed receipt of an envelope, in its binding.

        ``salt`` opens the log's entry of it.
        """
        receipt = Receipt(
            protocol=PROTOCOL,
            receipt_for=item.envelope.envelope_id,
            sender=self._identity.hub,
            recipient=item.envelope.sender,
            envelope_sha256=item.sha256,
            received_at=timestamps.render(now),
            log_index=log_index,
            entry_salt=None if salt is None else encode_salt(salt),
            rulebook=rulebook.CURRENT,
            outcomes=tuple(found),
        )
        return seal(self._keys.usable(trust, now), "receipt", receipt, item.binding)


def _until_key_change(items: Sequence[Opened]) -> int:
    """Return how many items fit one transaction: up to the first that changes keys."""
    for position, item in enumerate(items):
        if isinstance(item, OpenEnvelope) and _changes_keys(item):
            return position + 1
    return len(items)


def _changes_keys(item: OpenEnvelope) -> bool:
    return any(message.message.type in _KEY_TYPES for message in item.messages)


def _first_seen(
    part: Sequence[Opened], known: Mapping[tuple[str, str], StoredAnswer]
) -> list[OpenEnvelope]:
    """Return the envelopes nobody has seen, the first of each id within the batch too."""
    seen = set(known)
    fresh: list[OpenEnvelope] = []
    for item in part:
        if isinstance(item, OpenEnvelope):
            key = (item.envelope.sender, item.envelope.envelope_id)
            if key not in seen:
                seen.add(key)
                fresh.append(item)
    return fresh


def _answer(
    connection: Connection,
    item: Opened,
    sealed: Mapping[tuple[str, str], StoredAnswer],
    now: datetime,
) -> Answer:
    """Return the receipt of an envelope, or the problem of one that reuses an id."""
    if not isinstance(item, OpenEnvelope):
        return item
    envelope = item.envelope
    stored = sealed[envelope.sender, envelope.envelope_id]
    if stored.sha256 == item.sha256:
        if stored.receipt is None:
            detail = "its receipt was erased after the time of retention; the log has its entry"
            return PeerError(ResponseCode.ANSWER_ERASED, detail)
        return stored.receipt
    subject = f"{envelope.sender}/{envelope.envelope_id}"
    detail = f"first seen with digest {stored.sha256}, now with {item.sha256}"
    alerts.add(connection, kind="envelope-id-reused", subject=subject, detail=detail, at=now)
    return PeerError(ResponseCode.ENVELOPE_ID_REUSED, f"{subject} was {detail}")


def _fault_of_envelope(
    item: OpenEnvelope, work: BatchWork, limits: Limits
) -> tuple[ResponseCode, str] | None:
    """Return what is wrong with an envelope as a whole, for all its messages, or None."""
    envelope, now = item.envelope, work.facts.now
    sent_at = timestamps.parse(envelope.sent_at)
    if sent_at > now + timedelta(seconds=limits.clock_skew_seconds_max):
        detail = f"sent_at {envelope.sent_at}, received {work.now_text}"
        return ResponseCode.SENT_AT_IN_FUTURE, detail
    if sent_at < now - timedelta(seconds=limits.envelope_age_seconds_max):
        detail = f"sent_at {envelope.sent_at}, received {work.now_text}"
        return ResponseCode.SENT_AT_TOO_OLD, detail
    ids = [message.message_id for message in envelope.messages]
    if len(set(ids)) != len(ids):
        repeated = next(one for one in ids if ids.count(one) > 1)
        return ResponseCode.MESSAGE_ID_REPEATED, f"message_id {repeated} stands twice"
    types = [message.type for message in envelope.messages]
    to_hub = envelope.recipient == work.facts.hub
    if any(asks_hub(type_, to_hub=to_hub) for type_ in types):
        return (
            ResponseCode.ENVELOPE_MIXED,
            "messages that only ask travel in envelopes of their own",
        )
    if (asked := sum(map(asks_mechanism, types))) > limits.questions_per_envelope_max:
        detail = f"{asked} queries; the limit is {limits.questions_per_envelope_max}"
        return ResponseCode.PAYLOAD_NOT_AN_ENVELOPE, detail
    return None
