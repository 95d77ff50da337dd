"""Acts from the pages: prepared to be looked at, signed in a browser, and done like any other.

1. ``prepare`` says what will be done, under whose name, and what has to be signed: the exact bytes.
   It tries the deed and takes it back, so that what cannot be done is not asked for.
2. ``carry_out`` takes what was signed. What is done is what stands in the statement, judged by
   ``administration`` as if it came from the command line; nothing else that was sent counts.
3. While no administrator is registered, ``carry_out_unsigned`` does a deed in the person's name.
4. A right is asked twice: of the person's role here, and of the key's role by the judge.
5. Sent twice, it is done once, and the second answer is the first one's.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import msgspec
from uuid_utils import uuid7

from hub.services.administration.administration import Administration
from hub.services.administration.authority import Judge
from hub.services.administration.deeds import Act, AdministrationError, Deed
from hub.services.administration.kinds import kind_of
from hub.services.administration.proposals import Proposal, require_open
from hub.services.administration.recorded_acts import read_document
from hub.services.administration.statements import TYP, Says, Statement, read_statement
from hub.services.console.ground import Ground
from hub.services.people.roles import Right, may, may_sign, right_for
from hub.services.people.sessions import SignedIn
from hub.store import acts, administrators
from keys import base64url

_DEED_BYTES_MAX: Final = 256 * 1024


class NotAllowedError(Exception):
    """A person's role has not the right to a kind of act. ``right`` is the one it takes."""

    def __init__(self, right: Right) -> None:
        super().__init__(f"this takes the right to {right}")
        self.right = right


class Obstacle(StrEnum):
    """Why a person cannot do now what they asked for."""

    NOT_LINKED = "not_linked"
    """Acts are signed here, and no administrator's key is theirs."""
    REMOVED = "removed"
    """The administrator they act as is none any more."""
    KEY_ROLE = "key_role"
    """Their key's role has not the right."""
    REFUSED = "refused"
    """It cannot be done as things are."""


@dataclass(frozen=True, slots=True)
class ToSign:
    """What a browser signs: ``payload`` in base64url, with which key, counting for how long."""

    payload: str
    typ: str
    key_id: str
    algorithm: str
    fresh_for: timedelta


@dataclass(frozen=True, slots=True)
class Prepared:
    """An act as it is looked at before it is done.

    ``says`` is None where nobody signs. ``form_id`` makes a form count once. ``detail`` says in
    English why there is an obstacle.
    """

    deed: Deed
    reason: str
    actor: str
    says: Says | None
    proposal_id: str | None
    proposed_by: str | None
    proposed_reason: str
    form_id: str
    to_sign: ToSign | None
    obstacle: Obstacle | None
    detail: str

    @property
    def deed_text(self) -> str:
        """The deed in its one form."""
        return self.deed.canonical().decode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act: its index in the log, or the proposal that waits.

    ``is_repeated`` says that it was done before, and nothing now.
    """

    says: Says
    log_index: int
    proposal_id: str | None = None
    is_repeated: bool = False


class _DeedForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    kind: str
    subject: str
    parameters: dict[str, Any]


def read_deed(text: str) -> Deed:
    """Return a deed as a form has it. Raises AdministrationError."""
    if len(text) > _DEED_BYTES_MAX:
        raise AdministrationError(f"a deed has at most {_DEED_BYTES_MAX} characters")
    try:
        form = msgspec.json.decode(text.encode(), type=_DeedForm)
    except (ValueError, RecursionError) as error:
        raise AdministrationError(f"this is no deed: {error}") from error
    deed = Deed(form.kind, form.subject, form.parameters)
    kind_of(deed)
    return deed


class ActsDesk:
    """Prepares and does what people ask for on pages. Methods block.

    They raise NotAllowedError, AdministrationError and DatabaseUnavailableError.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._fresh = timedelta(seconds=ground.limits.clock_skew_seconds_max)
        self._administration = Administration(
            ground.database, ground.identity, ground.limits, ground.proposal_lapse
        )

    def prepare(self, person: SignedIn, deed: Deed, reason: str) -> Prepared:
        """Return what a person will do or propose, and what they sign for it."""
        _require_right(person, deed.kind)
        hub = self._ground.identity.hub
        takes_two = kind_of(deed).takes_two(deed, hub)
        with self._ground.database.reading() as connection:
            judge = Judge.of(connection, hub, self._fresh)
        if not judge.administrators:
            return self._prepared(person, judge, None, deed, reason)
        says = Says.PROPOSE if judge.takes_two(deed, takes_two) else Says.DO
        return self._prepared(person, judge, says, deed, reason)

    def prepare_decision(
        self, person: SignedIn, proposal_id: str, says: Says, reason: str
    ) -> Prepared:
        """Return what a person will say to a proposal: approve or reject."""
        now = self._ground.clock()
        proposal = self._administration.proposal(proposal_id, now)
        require_open(proposal)
        _require_right(person, proposal.deed.kind)
        with self._ground.database.reading() as connection:
            judge = Judge.of(connection, self._ground.identity.hub, self._fresh)
        return self._prepared(person, judge, says, proposal.deed, reason, proposal)

    def carry_out(self, person: SignedIn, raw: bytes, proposal_id: str | None) -> Outcome:
        """Do what a person signed. ``proposal_id`` is what an approval or rejection is about."""
        said = read_statement(raw).statement
        _require_right(person, said.deed.kind)
        if said.actor != person.administrator:
            raise AdministrationError(
                f"this is signed as {said.actor[:60]!r}, and you act here as "
                f"{person.administrator or 'nobody'}: sign with the key of your own account"
            )
        act = Act(said.actor, said.reason, self._ground.clock())
        try:
            return self._carry_out(said, act, raw, proposal_id)
        except AdministrationError:
            before = self._done_before(said.statement_id)
            if before is None or raw.decode() not in before[1]:
                raise
            return Outcome(said.says, before[0], proposal_id, is_repeated=True)

    def carry_out_unsigned(
        self, person: SignedIn, deed: Deed, reason: str, form_id: str
    ) -> Outcome:
        """Do a deed in a person's name, where no administrator is registered."""
        _require_right(person, deed.kind)
        act = Act(person.name, reason, self._ground.clock())
        try:
            done = self._administration.do(deed, act, once=form_id)
        except AdministrationError:
            before = self._done_before(form_id)
            if before is None or before[2:] != (person.name, deed.kind, deed.subject):
                raise
            return Outcome(Says.DO, before[0], is_repeated=True)
        return Outcome(Says.DO, done.log_index)

    def _carry_out(self, said: Statement, act: Act, raw: bytes, proposal_id: str | None) -> Outcome:
        if said.says is Says.DO:
            return Outcome(said.says, self._administration.do(said.deed, act, raw).log_index)
        if said.says is Says.PROPOSE:
            made = self._administration.propose(said.deed, act, raw)
            before = self._done_before(made)
            assert before is not None, "a proposal that was made is in the log"
            return Outcome(said.says, before[0], made)
        if proposal_id is None:
            raise AdministrationError(f"to {said.says} takes the proposal it is about")
        decide = (
            self._administration.approve
            if said.says is Says.APPROVE
            else self._administration.reject
        )
        return Outcome(said.says, decide(proposal_id, act, raw).log_index, proposal_id)

    def _done_before(self, form_id: str) -> tuple[int, list[str], str, str, str] | None:
        """Return where a statement or form was used: index, statements, actor, kind, subject."""
        with self._ground.database.reading() as connection:
            index = administrators.used_at(connection, form_id)
            row = None if index is None else acts.at(connection, index)
        if row is None:
            return None
        document = read_document(row)
        statements = [] if document is None else document.statements
        return row.log_index, statements, row.actor, row.kind, row.subject

    def _prepared(
        self,
        person: SignedIn,
        judge: Judge,
        says: Says | None,
        deed: Deed,
        reason: str,
        proposal: Proposal | None = None,
    ) -> Prepared:
        actor = person.name if says is None else person.administrator or person.name
        act = Act(actor, reason, self._ground.clock())
        obstacle = None if says is None else _obstacle(person, judge, deed.kind)
        detail = ""
        if obstacle is None and says is not Says.REJECT:
            try:
                self._administration.try_out(deed, act)
            except AdministrationError as error:
                obstacle, detail = Obstacle.REFUSED, str(error)
        form_id = str(uuid7())
        to_sign = None
        if says is not None and obstacle is None:
            to_sign = self._to_sign(judge, says, deed, act, form_id, proposal)
        return Prepared(
            deed=deed,
            reason=reason,
            actor=actor,
            says=says,
            proposal_id=None if proposal is None else proposal.row.proposal_id,
            proposed_by=None if proposal is None else proposal.said.actor,
            proposed_reason="" if proposal is None else proposal.said.reason,
            form_id=form_id,
            to_sign=to_sign,
            obstacle=obstacle,
            detail=detail,
        )

    def _to_sign(
        self,
        judge: Judge,
        says: Says,
        deed: Deed,
        act: Act,
        statement_id: str,
        proposal: Proposal | None,
    ) -> ToSign:
        digest = None if proposal is None else sha256(proposal.signed.raw).hexdigest()
        statement = Statement(
            statement_id, judge.place, says, deed, act.reason, act.actor, act.at, digest
        )
        (key,) = [row.key for row in judge.administrators if row.name == act.actor]
        payload = base64url.encode(statement.payload())
        return ToSign(payload, TYP, key.key_id, key.algorithm.value, self._fresh)


def _require_right(person: SignedIn, kind: str) -> None:
    right = right_for(kind)
    if not may(person.role, right):
        raise NotAllowedError(right)


def _obstacle(person: SignedIn, judge: Judge, kind: str) -> Obstacle | None:
    """Return why a person's signature would not count for a kind of act."""
    if person.administrator is None:
        return Obstacle.NOT_LINKED
    found = [row for row in judge.administrators if row.name == person.administrator]
    if not found:
        return Obstacle.REMOVED
    return None if may_sign(found[0].role, kind) else Obstacle.KEY_ROLE
