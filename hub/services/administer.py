"""What an operator may do: participants, keys, accounts, suspensions, looking around.

Each act is a transaction of its own under the head's lock, takes a log index like an envelope, and
says who did it and why. It works beside a running hub: the hub sees the changed version at its next
commit.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from hub.checks.facts import Policy
from hub.international_registry.accounts import ACCOUNT_TYPES, Account
from hub.international_registry.units import LedgerBlock, Range, Series
from hub.protocol.limits import Limits
from hub.services import log_standing, reference_data
from hub.services.acts import act_row
from hub.services.batch_work import BatchWork, OutgoingItem
from hub.services.load_facts import HubIdentity, Needs, load_needs
from hub.services.record_batch import act_leaf, file_items, record_work
from hub.services.reference_data import ReferenceData
from hub.store import envelopes, log, mailboxes, reference
from hub.store import head as heads
from hub.store.database import Database
from hub.store.head import Head
from hub.store.interning import Interning
from hub.store.reference import ParticipantRow, SuspensionRow
from keys.algorithms import SUITES
from keys.key_ids import is_participant
from keys.public_keys import KeyRecord
from message_schemas import code_lists, timestamps, validation
from message_schemas.blocks import parse_identifier

KINDS = ("party_registry", "mechanism_registry", "international_registry", "hub")
TRANSITIONS = {
    "activate": ({"registered", "suspended"}, "active"),
    "suspend": ({"active", "registered"}, "suspended"),
    "close": ({"registered", "active", "suspended"}, "closed"),
}
NAME_CHARACTERS_MAX = 200
ACTOR_CHARACTERS_MAX = 100
# Half of what a text may have: a finding gives the reason of a suspension after words of its own.
REASON_CHARACTERS_MAX = 1000
SUBJECT_CHARACTERS_MAX = 120
ENDPOINT_CHARACTERS_MAX = 500
SUSPENSION_LEVELS = ("account", "message_type", "participant", "pair", "hub")


# Neither text nor a line, as the schemas have it; a lone surrogate is what Python makes of a byte
# on the command line that is no UTF-8.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NO_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Notice = tuple[Collection[str], str, dict[str, Any]]
Notices = list[Notice]
DEFAULT_IDENTITY = HubIdentity("XHB01", "XIR01", "XMR01", Policy())
DEFAULT_LIMITS = Limits()


class AdministrationError(Exception):
    """An act that cannot be done; the message says why and what would be right."""


class NoticeInvalidError(RuntimeError):
    """A notice of an act breaks its schema: a defect of ours, found before anybody is told."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, when, and why. Raises AdministrationError if nobody could be told so.

    The reason travels in notices, so it is 1 to REASON_CHARACTERS_MAX characters of text, of the
    control characters only line feed and tab.
    """

    actor: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > REASON_CHARACTERS_MAX:
            raise AdministrationError(f"a reason has 1 to {REASON_CHARACTERS_MAX} characters")
        if _NO_TEXT.search(self.reason):
            raise AdministrationError("a reason has no control characters but line feed and tab")
        if not 1 <= len(self.actor) <= ACTOR_CHARACTERS_MAX or _NO_LINE.search(self.actor):
            raise AdministrationError(
                f"an actor's name is one line of 1 to {ACTOR_CHARACTERS_MAX} characters"
            )


class Administration:
    """The operator's use cases on one database."""

    def __init__(
        self,
        database: Database,
        identity: HubIdentity = DEFAULT_IDENTITY,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._database = database
        self._identity = identity
        self._limits = limits

    @contextmanager
    def _acting(
        self, act: Act, kind: str, subject: str, *, trust: bool = False, **detail: Any
    ) -> Iterator[tuple[Connection, ReferenceData, Notices]]:
        """Do one act: lock, let the caller change things, record who and why, move the head.

        What the caller appends to the notices, (recipients, type, body), is told as part of it.
        """
        notices: Notices = []
        with self._database.writing() as connection:
            head = heads.lock(connection)
            yield connection, reference_data.load(connection, head), notices
            outgoing: dict[str, list[OutgoingItem]] = {}
            for recipients, type_, body in notices:
                assert_notice_valid(type_, body)
                for code in recipients:
                    item = OutgoingItem(head.log_index + 1, notices=[(type_, body)])
                    outgoing.setdefault(code, []).append(item)
            told = file_items(connection, outgoing, act.at)
            row = act_row(
                head.log_index + 1,
                at=act.at,
                kind=kind,
                actor=act.actor,
                subject=subject,
                reason=act.reason,
                detail=detail,
            )
            envelopes.add_acts(connection, [row])
            hub = self._identity.hub
            central = {hub, self._identity.international_registry}
            leaf = act_leaf(row, hub, set(told) - central)
            after = Head(
                log_index=head.log_index + 1,
                compact_range=log.append(connection, head, [leaf]),
                next_block_id=head.next_block_id,
                trust_version=head.trust_version + trust,
                reference_version=head.reference_version + 1,
            )
            heads.advance(connection, head, after)

    def add_participant(self, row: ParticipantRow, keys: list[KeyRecord], act: Act) -> None:
        """Register a participant with its first keys; it is not active yet."""
        _check_participant(row, keys)
        with self._acting(
            act, "participant.add", row.code, trust=True, keys=[key.key_id for key in keys]
        ) as (connection, data, _):
            if row.code in data.rows:
                raise AdministrationError(f"{row.code} is registered already")
            reference.add_participant(connection, row)
            mailboxes.open_mailbox(connection, row.code)
            for key in keys:
                reference.add_key(connection, key)

    def add_key(self, key: KeyRecord, act: Act) -> None:
        """Register a key out of band: the emergency path when a participant lost its old ones."""
        with self._acting(act, "key.add", key.key_id, trust=True) as (connection, data, notices):
            if key.participant not in data.rows:
                raise AdministrationError(f"{key.participant} is not a participant")
            if data.trust.get(key.key_id) is not None:
                raise AdministrationError(f"{key.key_id} is registered already")
            reference.add_key(connection, key)
            notices.append(_key_notice(data, key.participant, key.key_id, "added", act))

    def revoke_key(self, key_id: str, act: Act) -> None:
        """Revoke a key at once."""
        with self._acting(act, "key.revoke", key_id, trust=True) as (connection, data, notices):
            record = data.trust.get(key_id)
            if record is None:
                raise AdministrationError(f"no key {key_id} is registered")
            reference.revoke_key(connection, key_id, act.at)
            notices.append(_key_notice(data, record.participant, key_id, "revoked", act))

    def change_state(self, code: str, verb: str, act: Act) -> str:
        """Activate, suspend or close a participant; return its new state."""
        allowed, after = TRANSITIONS[verb]
        with self._acting(act, f"participant.{verb}", code) as (connection, data, _):
            row = data.rows.get(code)
            if row is None:
                raise AdministrationError(f"{code} is not a participant")
            if row.state not in allowed:
                raise AdministrationError(f"{code} is {row.state}; it cannot {verb} from there")
            reference.set_participant_state(connection, code, after)
        return after

    def accept_log_loss(self, origin: str, up_to: int, act: Act) -> None:
        """Go on with what is left of the log, though a witness knew ``up_to`` entries of it."""
        with self._acting(act, log_standing.LOSS_ACCEPTED, origin, up_to=up_to):
            pass

    def set_delivery(self, code: str, mode: str, endpoint: str | None, act: Act) -> None:
        """Set how a participant receives its deliveries."""
        with self._acting(act, "participant.delivery", code, mode=mode) as (connection, data, _):
            if code not in data.rows:
                raise AdministrationError(f"{code} is not a participant")
            if mode == "push" and endpoint is None:
                raise AdministrationError("push needs an endpoint")
            _check_endpoint(endpoint)
            reference.set_delivery(connection, code, mode=mode, endpoint=endpoint)

    def open_account(self, account: Account, act: Act) -> None:
        """Open an account of the international registry."""
        _check_account(account)
        with self._acting(act, "account.open", f"{account.registry}/{account.account_id}") as (
            connection,
            data,
            _,
        ):
            if (account.registry, account.account_id) in data.accounts:
                raise AdministrationError(f"account {account.account_id} exists already")
            reference.add_account(connection, account, act.at)

    def set_account_status(self, registry: str, account_id: str, status: str, act: Act) -> None:
        """Change an account's status."""
        with self._acting(act, f"account.{status}", f"{registry}/{account_id}") as (
            connection,
            _,
            _,
        ):
            if not reference.set_account_status(connection, registry, account_id, status):
                raise AdministrationError(f"no account {account_id} at {registry}")

    def place_suspension(self, level: str, subject: str, act: Act) -> None:
        """Suspend an account, a message type, a participant, a pair or the hub."""
        _check_suspension(level, subject)
        with self._acting(act, "suspension.place", f"{level}:{subject}") as (
            connection,
            data,
            notices,
        ):
            if (level, subject) in data.suspensions:
                raise AdministrationError(f"{level} {subject} is suspended already")
            reference.place_suspension(
                connection, SuspensionRow(level, subject, act.at, act.reason, None)
            )
            notices.append(_suspension_notice(data, "suspension.placed", level, subject, act))

    def hold_block(self, subject: str, act: Act) -> str:
        """Suspend units (``FIRST_ID..LAST_ID``) in the ledger; return the hold's reference."""
        with self._ledger_act(act, "suspension.place", f"block:{subject}") as (work, reference_):
            asked = parse_range(subject)
            missing = work.facts.window.gaps(asked)
            if missing:
                raise AdministrationError(f"{missing[0]} is not in the ledger")
            held = work.facts.window.overlapping(asked.series, asked.first, asked.last)
            if any(block.hold is not None for block in held):
                raise AdministrationError(f"a part of {subject} is on hold already")
            work.facts.window.hold([asked], reference_)
            _tell_holders(work, held, "suspension.placed", subject, act)
        return reference_

    def release_block(self, subject: str, act: Act) -> None:
        """Lift the suspension of units (``FIRST_ID..LAST_ID``), and of no others."""
        with self._ledger_act(act, "suspension.lift", f"block:{subject}") as (work, _):
            freed = work.facts.window.unhold(parse_range(subject))
            if not freed:
                raise AdministrationError(f"{subject} is not suspended")
            _tell_holders(work, freed, "suspension.lifted", subject, act)

    @contextmanager
    def _ledger_act(self, act: Act, kind: str, subject: str) -> Iterator[tuple[BatchWork, str]]:
        """Do one act on the ledger itself, with its postings, under the head's lock."""
        interning = Interning()
        with self._database.writing() as connection:
            head = heads.lock(connection)
            asked = parse_range(subject.partition(":")[2])
            needs = Needs(ranges={asked})
            # What bounds a peer's question must not stop the operator: no range is too crowded.
            limits = replace(self._limits, ledger_blocks_per_range_max=asked.quantity)
            work = load_needs(
                connection,
                interning,
                needs,
                head,
                reference_data.load(connection, head),
                identity=self._identity,
                limits=limits,
                now=act.at,
            )
            work.begin_entry()
            yield work, f"S:{work.log_index}"
            work.end_entry()
            for item in chain.from_iterable(work.outgoing.values()):
                for type_, body in item.notices:
                    assert_notice_valid(type_, body)
            row = act_row(
                work.log_index,
                at=act.at,
                kind=kind,
                actor=act.actor,
                subject=subject,
                reason=act.reason,
                detail={},
            )
            record_work(connection, interning, work, head, [], [row])

    def lift_suspension(self, level: str, subject: str, act: Act) -> None:
        """Lift a suspension."""
        _check_suspension(level, subject)
        with self._acting(act, "suspension.lift", f"{level}:{subject}") as (
            connection,
            data,
            notices,
        ):
            if reference.lift_suspension(connection, level, subject, act.at) == 0:
                raise AdministrationError(f"{level} {subject} is not suspended")
            notices.append(_suspension_notice(data, "suspension.lifted", level, subject, act))

    def try_now(self, code: str) -> None:
        """End a recipient's back-off, so that its next delivery goes out at once."""
        with self._database.writing() as connection:
            if not mailboxes.load(connection, [code]):
                raise AdministrationError(f"{code} is not a participant")
            mailboxes.note_sign_of_life(connection, [code])


def assert_notice_valid(type_: str, body: dict[str, Any]) -> None:
    """Raise NoticeInvalidError if a notice breaks its schema.

    Filed all the same, it would stop its recipients' mailboxes for good: no connector takes it.
    """
    errors = validation.schema_errors(type_, 1, body)
    if errors:
        raise NoticeInvalidError(f"{type_} {errors[0].path or '/'}: {errors[0].text}")


def _key_notice(
    data: ReferenceData, participant: str, key_id: str, change: str, act: Act
) -> Notice:
    """Return the notice of a changed key, for every active participant."""
    body = {
        "participant": participant,
        "key_id": key_id,
        "change": change,
        "at": timestamps.render(act.at),
    }
    return data.active_participants(), "key.changed", body


def _suspension_body(level: str, subject: str, act: Act) -> dict[str, Any]:
    return {
        "level": level,
        "subject": subject,
        "reason": act.reason,
        "at": timestamps.render(act.at),
    }


def _suspension_notice(
    data: ReferenceData, type_: str, level: str, subject: str, act: Act
) -> Notice:
    """Return the notice of a suspension, for those whom it touches."""
    match level:
        case "participant" | "pair":
            named = [code for code in subject.split("/") if code in data.rows]
        case "account":
            registry, _, account_id = subject.partition("/")
            account = data.accounts.get((registry, account_id))
            named = [] if account is None else data.registries_of(account.party)
        case _:
            named = data.active_participants()
    return named, type_, _suspension_body(level, subject, act)


def _tell_holders(
    work: BatchWork, held: list[LedgerBlock], type_: str, subject: str, act: Act
) -> None:
    """Tell the registries that hold suspended units."""
    body = _suspension_body("block", subject, act)
    for code in sorted({block.registry for block in held}):
        work.notify(code, type_, body)


def parse_range(subject: str) -> Range:
    """Return the units of ``FIRST_ID..LAST_ID`` (or one id). Raises AdministrationError."""
    first_text, _, last_text = subject.partition("..")
    try:
        first = parse_identifier(first_text)
        last = parse_identifier(last_text or first_text)
        series = Series(*_key(first))
        if series != Series(*_key(last)):
            raise AdministrationError(f"{subject}: the two ids are of different series")
        return Range(series, first.serial, last.serial)
    except ValueError as error:
        raise AdministrationError(f"{subject}: {error}") from error


def _key(identifier: Any) -> tuple[str, str, str, int]:
    return (
        identifier.cooperative_approach,
        identifier.originating_registry,
        identifier.first_transferring_party,
        identifier.vintage,
    )


def _check_participant(row: ParticipantRow, keys: list[KeyRecord]) -> None:
    """Raise AdministrationError if a participant cannot be registered like this."""
    if not is_participant(row.code):
        raise AdministrationError(f"{row.code!r} is not three capitals and two digits")
    if row.kind not in KINDS:
        raise AdministrationError(f"kind {row.kind!r} is not one of {', '.join(KINDS)}")
    if not 1 <= len(row.name) <= NAME_CHARACTERS_MAX:
        raise AdministrationError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    if row.delivery_mode == "push" and row.endpoint is None:
        raise AdministrationError("a participant that takes pushes needs an endpoint")
    _check_endpoint(row.endpoint)
    if not set(row.suites) <= SUITES:
        raise AdministrationError(f"suites {row.suites} are not among {sorted(SUITES)}")
    for key in keys:
        if key.participant != row.code:
            raise AdministrationError(f"key {key.key_id} is one of {key.participant}")


def _check_account(account: Account) -> None:
    """Raise AdministrationError if no message could name an account like this."""
    if account.type not in ACCOUNT_TYPES:
        known = ", ".join(map(str, sorted(ACCOUNT_TYPES)))
        raise AdministrationError(f"account type {account.type} is not one of {known}")
    for what, pattern, value in (
        ("account id", r"[A-Za-z0-9][A-Za-z0-9-]{0,49}", account.account_id),
        ("Party", r"[A-Z]{3}", account.party),
        ("cooperative approach", r"CA[0-9]{4}", account.cooperative_approach),
        ("entity", r".{1,100}", account.entity),
    ):
        if value is not None and not re.fullmatch(pattern, value):
            raise AdministrationError(f"the {what} {value[:60]!r} is not of the form {pattern}")
    if not code_lists.contains("metric", account.metric):
        known = ", ".join(map(str, code_lists.values("metric")))
        raise AdministrationError(f"the metric {account.metric[:60]!r} is not one of {known}")


def _check_endpoint(endpoint: str | None) -> None:
    """Raise AdministrationError unless deliveries could be posted to this address."""
    if endpoint is None:
        return
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or len(endpoint) > ENDPOINT_CHARACTERS_MAX:
        raise AdministrationError(
            f"the endpoint {endpoint[:100]!r} is not an http(s) address of at most "
            f"{ENDPOINT_CHARACTERS_MAX} characters"
        )


def _check_suspension(level: str, subject: str) -> None:
    """Raise AdministrationError if nothing can be suspended under this level and subject."""
    if level not in SUSPENSION_LEVELS:
        raise AdministrationError(f"level {level!r} is not one of {', '.join(SUSPENSION_LEVELS)}")
    if not 1 <= len(subject) <= SUBJECT_CHARACTERS_MAX or _NO_LINE.search(subject):
        raise AdministrationError(
            f"a subject is one line of 1 to {SUBJECT_CHARACTERS_MAX} characters"
        )
    if level == "pair" and sorted(subject.split("/")) != subject.split("/"):
        raise AdministrationError("a pair is two codes in alphabetical order: CHE01/THA01")
