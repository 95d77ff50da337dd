"""Acts read back: who, what, why, and whether the statements in them hold.

1. The document is what the log's entry commits to.
2. Who was an administrator then, and in which role, is read from the log's own acts of adding and
   removing, in their order, not from the table of today; where that table says otherwise, it is
   the table that was changed.
3. Each statement must be signed by one of them, in their own name, for this log, in a role that has
   the right to it, and say what the document says. Two statements are a proposal and an approval of
   exactly it, by two keys; where two could have signed it, what takes two has them. No statement
   serves two acts.
   Each was signed when it was used, within the limit for clocks; only a proposal waits, and what
   is done on it is approved when it is done.
4. An act without a statement is in order before the first administrator, and if the hub did it by
   itself.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.protocol.limits import Limits
from hub.services.acts import FORMAT
from hub.services.administration.administrators import ADDED, REMOVED, role_of
from hub.services.administration.authority import place_of
from hub.services.administration.deeds import AdministrationError, Deed, canonical
from hub.services.administration.key_forms import key_of_form
from hub.services.administration.kinds import KINDS
from hub.services.administration.statements import Place, Says, SignedStatement, read_statement
from hub.services.people.roles import Role, may_sign
from hub.store import acts, administrators, log
from hub.store.acts import ActRow
from hub.transparency_log.entries import commitment, decode
from keys.errors import SignatureInvalidError
from keys.jws import check_signature
from keys.public_keys import PublicKey
from message_schemas import timestamps

PAGE_COUNT = 1_000
DEFAULT_LIMITS = Limits()


class ActDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of an act's document, as ``hub.services.acts`` writes them."""

    format: str
    log_index: int
    at: str
    kind: str
    actor: str
    subject: str
    reason: str
    detail: dict[str, Any]
    eyes: int
    statements: list[str]

    @property
    def deed(self) -> Deed:
        """What was done; for a proposal or its rejection, what was proposed."""
        if self.kind in ("act.propose", "act.reject"):
            named = msgspec.convert(self.detail, _DeedNamed)
            return Deed(named.kind, named.subject, named.parameters)
        return Deed(self.kind, self.subject, self.detail)


class _DeedNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    subject: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tenure:
    """Which acts an administrator could sign: from ``after`` (exclusive) to ``until`` (inclusive).

    Both are log indices; ``until`` is None while it lasts.
    """

    name: str
    key: PublicKey
    after: int
    until: int | None
    role: str = Role.ADMINISTRATOR

    def covers(self, log_index: int) -> bool:
        """Tell whether they were an administrator when this act was done."""
        return self.after < log_index and (self.until is None or log_index <= self.until)


@dataclass(frozen=True, slots=True)
class StatementFound:
    """One statement in an act's document, and what is wrong with it (None: nothing)."""

    says: str
    actor: str
    key_id: str
    at: str
    reason: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """An act with its document and statements, and what is wrong with it as a whole, or None."""

    row: ActRow
    document: ActDocument | None
    statements: tuple[StatementFound, ...]
    fault: str | None

    @property
    def is_wrong(self) -> bool:
        """Tell whether the act or one of its statements does not hold."""
        return self.fault is not None or any(one.fault is not None for one in self.statements)

    @property
    def verdict(self) -> str:
        """Return in a few words whether the act holds."""
        if self.is_wrong:
            faults = (self.fault, *(one.fault for one in self.statements))
            return "WRONG: " + "; ".join(fault for fault in faults if fault is not None)
        return f"signed by {len(self.statements)}" if self.statements else "unsigned"


class ActReader:
    """Reads acts of one database, in one transaction.

    ``limits`` are those that statements are accepted by: their age is judged by them again.
    """

    def __init__(self, connection: Connection, hub: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._connection = connection
        self._fresh = timedelta(seconds=limits.clock_skew_seconds_max)
        self._place = place_of(connection, hub)
        self._tenures = tenures(connection)

    def newest(self, limit: int) -> list[RecordedAct]:
        """Return the newest acts, newest first."""
        return [self._read(row) for row in acts.newest(self._connection, limit)]

    def page(
        self,
        limit: int,
        *,
        before: int | None = None,
        kind: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
    ) -> list[RecordedAct]:
        """Return up to ``limit`` acts, newest first, behind ``before``, of what is given."""
        rows = acts.page(
            self._connection, limit, before=before, kind=kind, actor=actor, subject=subject
        )
        return [self._read(row) for row in rows]

    def at(self, log_index: int) -> RecordedAct:
        """Return one act. Raises AdministrationError if that entry is none."""
        row = acts.at(self._connection, log_index)
        if row is None:
            raise AdministrationError(
                f"there is no act at log index {log_index}; `itmo-hub act list` lists them"
            )
        return self._read(row)

    def faults(self) -> Iterator[str]:
        """Read every act there is; return one sentence for each that does not hold."""
        last = 0
        used: dict[tuple[str, bool], int] = {}
        while page := acts.after(self._connection, last, PAGE_COUNT):
            for one in map(self._read, page):
                if one.is_wrong:
                    yield f"the act at log index {one.row.log_index}: {one.verdict}"
                for statement_id in _statement_ids(one.document):
                    # A proposal stands in the act that made it, and once more in what came of it.
                    use = statement_id, one.row.kind == "act.propose"
                    before = used.setdefault(use, one.row.log_index)
                    if before != one.row.log_index:
                        yield (
                            f"the act at log index {one.row.log_index}: its statement "
                            f"{statement_id} was used for the one at {before} already"
                        )
            last = page[-1].log_index
        yield from self._table_faults()

    def _table_faults(self) -> Iterator[str]:
        """Compare the table, by which statements are accepted today, with the log's own acts."""
        said = {one.name: one for one in self._tenures}
        for row in administrators.every(self._connection):
            one = said.pop(row.name, None)
            stored = row.key, row.role, row.removed_at is None
            if one is None:
                yield f"{row.name} is an administrator in the database, and by no act in the log"
            elif stored != (one.key, one.role, one.until is None):
                yield (
                    f"the administrator {row.name} was changed in the database: the act at log "
                    f"index {one.after} gave {one.key.key_id} the role {one.role}"
                    + ("" if one.until is None else f", and the one at {one.until} ended it")
                    + f"; stored is {row.key.key_id}, {row.role}, "
                    + ("active" if row.removed_at is None else "removed")
                )
        for name, one in said.items():
            yield f"the act at log index {one.after} added {name}, whom the database does not have"

    def _read(self, row: ActRow) -> RecordedAct:
        document = read_document(row)
        if document is None:
            return RecordedAct(row, None, (), "its document cannot be read")
        there = [one for one in self._tenures if one.covers(row.log_index)]
        found = tuple(_judge(document, there, self._place, row.at, self._fresh))
        fault = self._fault(row, document)
        if fault is None and not found and there and not self._is_own(document):
            fault = "nobody signed it, and there were administrators"
        could = [one for one in there if may_sign(one.role, document.kind)]
        if fault is None and len(could) > 1 and len(found) == 1 and self._takes_two(document):
            fault = "it takes two administrators, and one signed it"
        return RecordedAct(row, document, found, fault)

    def _takes_two(self, document: ActDocument) -> bool:
        kind = KINDS.get(document.kind)
        return kind is not None and kind.takes_two(document.deed, self._place.hub)

    def _is_own(self, document: ActDocument) -> bool:
        """Tell whether the hub did this by itself: an expiry, or its participants at a start."""
        by_hub = document.actor == self._place.hub
        if document.kind == "participant.add":
            detail = document.detail
            if document.subject == self._place.hub:
                return by_hub and detail.get("kind") == "hub"
            # The international registry signs nothing, so it is registered without a key.
            return by_hub and (detail.get("kind"), detail.get("keys")) == (
                "international_registry",
                [],
            )
        return by_hub and document.kind not in KINDS

    def _fault(self, row: ActRow, document: ActDocument) -> str | None:
        entry = log.entry_at(self._connection, row.log_index)
        if entry is None:
            return "it has no entry in the log"
        if decode(entry).commitments.get("act") != commitment(row.salt, bytes(row.document)):
            return "the log's entry commits to another document"
        stored = _stored(row)
        said = (
            document.log_index,
            document.at,
            document.kind,
            document.actor,
            document.subject,
            document.reason,
            canonical(document.detail),
        )
        if stored != said:
            return "its row differs from its document"
        if document.eyes != len(document.statements):
            return "the number of its statements is another"
        return None


def _statement_ids(document: ActDocument | None) -> Iterator[str]:
    """Yield the ids of the statements of a document that can be read."""
    for text in () if document is None else document.statements:
        with contextlib.suppress(AdministrationError):
            yield read_statement(text.encode()).statement.statement_id


def _stored(row: ActRow) -> tuple[object, ...]:
    """Return what an act's row repeats of its document."""
    at = timestamps.render(row.at)
    detail = row.detail.encode()
    return (row.log_index, at, row.kind, row.actor, row.subject, row.reason, detail)


def read_document(row: ActRow) -> ActDocument | None:
    """Return the document of an act, or None if it cannot be read."""
    try:
        document = msgspec.json.decode(row.document, type=ActDocument)
        document.deed.canonical()
    except (ValueError, AdministrationError):
        return None
    return document if document.format == FORMAT else None


def tenures(connection: Connection) -> list[Tenure]:
    """Return who was an administrator from which act to which, as the log tells it.

    An act that cannot be read gives nobody a right; reading it says that it is damaged.
    """
    known: dict[str, Tenure] = {}
    for row in acts.of_kinds(connection, (ADDED, REMOVED)):
        document = read_document(row)
        if document is None:
            continue
        name = document.subject
        if document.kind == ADDED:
            with contextlib.suppress(AdministrationError, KeyError, IndexError, TypeError):
                detail = document.detail
                key = key_of_form(detail["participant"], detail["keys"][0]).public_key
                known[name] = Tenure(name, key, row.log_index, None, role_of(detail))
        elif document.kind == REMOVED and name in known:
            known[name] = replace(known[name], until=row.log_index)
    return list(known.values())


def _judge(
    document: ActDocument,
    there: Sequence[Tenure],
    place: Place,
    at: datetime,
    fresh: timedelta,
) -> list[StatementFound]:
    """Return the statements of a document of ``at``, each with its fault."""
    read: list[SignedStatement] = []
    found: list[StatementFound] = []
    for text in document.statements:
        try:
            signed = read_statement(text.encode())
        except AdministrationError as error:
            found.append(StatementFound("", "", "", "", "", str(error)))
            continue
        said = signed.statement
        fault = (
            _signature_fault(signed, there, place)
            or _right_fault(document, signed, there)
            or _content_fault(document, read, signed)
            or _age_fault(document, signed, at, fresh)
        )
        read.append(signed)
        found.append(
            StatementFound(
                says=said.says.value,
                actor=said.actor,
                key_id=signed.signature.key_id,
                at=timestamps.render(said.at),
                reason=said.reason,
                fault=fault,
            )
        )
    return found


def _signature_fault(signed: SignedStatement, there: Sequence[Tenure], place: Place) -> str | None:
    said, key_id = signed.statement, signed.signature.key_id
    signer = next((one for one in there if one.key.key_id == key_id), None)
    if signer is None:
        return f"{key_id} was not the key of an administrator then"
    if signer.name != said.actor:
        return f"{key_id} was the key of {signer.name}, not of {said.actor}"
    try:
        check_signature(signed.signature, signer.key)
    except SignatureInvalidError as error:
        return error.detail
    return None if said.place == place else "it was signed for another hub's log"


def _right_fault(
    document: ActDocument, signed: SignedStatement, there: Sequence[Tenure]
) -> str | None:
    """Return what is wrong with the role of who signed; that they signed is known."""
    kind = document.deed.kind
    for one in there:
        if one.name == signed.statement.actor and not may_sign(one.role, kind):
            return f"{one.name} had the role {one.role}, which does not sign {kind}"
    return None


def _content_fault(
    document: ActDocument,
    earlier: Sequence[SignedStatement],
    signed: SignedStatement,
) -> str | None:
    """Return what a statement says other than its document, or than the proposal before it."""
    said = signed.statement
    wanted = _wanted(document.kind, len(document.statements), len(earlier))
    if said.says is not wanted:
        return f"it says {said.says.value!r} where the act needs {wanted.value!r}"
    if said.deed.canonical() != document.deed.canonical():
        return "it is about another deed"
    if said.says is Says.APPROVE:
        if said.proposal != sha256(earlier[0].raw).hexdigest():
            return "it approves another proposal"
        if signed.signature.key_id == earlier[0].signature.key_id:
            return "one key both proposed and approved"
        return None
    return (
        None
        if (said.actor, said.reason) == (document.actor, document.reason)
        else "who or why differ"
    )


def _age_fault(
    document: ActDocument, signed: SignedStatement, at: datetime, fresh: timedelta
) -> str | None:
    """Return what is wrong with when a statement was signed; a proposal may have waited."""
    said = signed.statement
    waited = said.says is Says.PROPOSE and document.kind != "act.propose"
    if said.at - at <= fresh and (waited or at - said.at <= fresh):
        return None
    return (
        f"it was signed at {timestamps.render(said.at)}, more than {fresh.total_seconds():.0f} s "
        "from the act"
    )


def _wanted(kind: str, count: int, position: int) -> Says:
    if kind == "act.propose":
        return Says.PROPOSE
    if kind == "act.reject":
        return Says.REJECT
    if count == 1:
        return Says.DO
    return Says.PROPOSE if position == 0 else Says.APPROVE
