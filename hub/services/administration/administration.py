"""The one way in for acts: judge what was signed, do the deed, record it; all of it or nothing.

1. ``do``: at once, by one administrator; or by whoever has the database, while none is registered.
2. ``propose``, ``approve``, ``reject``: for deeds that take two. A proposal is tried and taken back
   when it is made, so that none is stored that could not be done; on approval the deed is read
   from the proposer's statement and checked anew, in the transaction that does it.
3. The head's lock puts all of these in one line: of two approvals at once, one finds it done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.checks.facts import Policy
from hub.protocol.limits import Limits
from hub.services.administration import proposals
from hub.services.administration.authority import Judge
from hub.services.administration.deeds import Act, AdministrationError, Deed
from hub.services.administration.doing import Doing
from hub.services.administration.kinds import kind_of
from hub.services.administration.proposals import Proposal
from hub.services.administration.statements import Place, Says, SignedStatement
from hub.services.load_facts import HubIdentity
from hub.store import administrators, mailboxes
from hub.store import head as heads
from hub.store.administrators import AdministratorRow, ProposalRow
from hub.store.database import Database

DEFAULT_IDENTITY: Final = HubIdentity("XHB01", "XIR01", "XMR01", Policy())
DEFAULT_LIMITS: Final = Limits()
_NOBODY_ELSE: Final = (
    "there is no second administrator who could approve this: act directly, without --propose"
)


@dataclass(frozen=True, slots=True)
class Done:
    """An act that is in the log, and how many administrators signed for it."""

    log_index: int
    eyes: int


@dataclass(frozen=True, slots=True)
class Signatories:
    """What an administrator's statement must be made for, and who may sign one."""

    place: Place
    administrators: tuple[AdministratorRow, ...]


class Administration:
    """The administrators' use cases on one database.

    Every method raises AdministrationError for what cannot be done, and
    hub.store.database.DatabaseUnavailableError.
    """

    def __init__(
        self,
        database: Database,
        identity: HubIdentity = DEFAULT_IDENTITY,
        limits: Limits = DEFAULT_LIMITS,
        lapse_after: timedelta = proposals.LAPSE_AFTER,
    ) -> None:
        self._database = database
        self._identity = identity
        self._limits = limits
        self._lapse_after = lapse_after
        self._fresh = timedelta(seconds=limits.clock_skew_seconds_max)

    def signatories(self) -> Signatories:
        """Return what statements here are made for, and the administrators of now."""
        with self._database.reading() as connection:
            judge = Judge.of(connection, self._identity.hub, self._fresh)
            return Signatories(judge.place, tuple(judge.administrators))

    def do(
        self, deed: Deed, act: Act, statement: bytes | None = None, once: str | None = None
    ) -> Done:
        """Do a deed at once. ``statement`` says the same, signed, once administrators exist.

        ``once`` is the id of a form that counts once, for what nobody signs.
        """
        kind = kind_of(deed)
        with self._beginning(act) as (doing, judge):
            if statement is None:
                judge.require_none()
                if once is not None:
                    judge.require_unused(once)
                    administrators.note_used(doing.connection, once, doing.log_index)
                return self._carry_out(doing, deed, [])
            if not judge.administrators:
                raise AdministrationError(
                    "no administrator is registered here, so a signature counts for nothing: "
                    "leave --signer out, or register yourself with `itmo-hub administrator add`"
                )
            signed = judge.require(statement, Says.DO, deed, act)
            if judge.takes_two(deed, kind.takes_two(deed, self._identity.hub)):
                raise AdministrationError(
                    f"{deed.kind} takes two administrators: say the same with --propose, and have "
                    "another one run `itmo-hub administrator approve ID`"
                )
            _note_used(doing, signed)
            return self._carry_out(doing, deed, [signed])

    def do_at_start(self, deed: Deed, act: Act) -> Done:
        """Do a deed of the hub's own start (its own participants); nobody signs for it."""
        kind_of(deed)
        with self._beginning(act) as (doing, _):
            return self._carry_out(doing, deed, [])

    def try_out(self, deed: Deed, act: Act) -> None:
        """Do a deed and take it back, to hear what would refuse it; no act, nothing is changed."""
        kind_of(deed)
        with self._beginning(act) as (doing, _):
            self._try_out(doing, deed)

    def propose(self, deed: Deed, act: Act, statement: bytes) -> str:
        """Store a deed that another administrator may approve; return the proposal's id."""
        kind_of(deed)
        with self._beginning(act) as (doing, judge):
            if len(judge.administrators) < 2:
                raise AdministrationError(_NOBODY_ELSE)
            signed = judge.require(statement, Says.PROPOSE, deed, act)
            if len(judge.who_may(deed.kind)) < 2:
                raise AdministrationError(_NOBODY_ELSE)
            self._try_out(doing, deed)
            row = proposals.row_of(signed)
            _note_used(doing, signed)
            administrators.add_proposal(doing.connection, row)
            doing.record(_about(row, "act.propose", deed), [signed.raw])
            return row.proposal_id

    def approve(self, proposal_id: str, act: Act, statement: bytes) -> Done:
        """Do exactly what was proposed. ``act`` is the approver's.

        The act recorded has the proposer's name and reason, and both statements.
        """
        with self._beginning(act) as (doing, judge):
            proposal = self._load(doing, judge, proposal_id)
            proposals.require_open(proposal)
            signed = judge.require(
                statement, Says.APPROVE, proposal.deed, act, proposal=proposal.signed.raw
            )
            said = proposal.said
            same_key = proposal.signed.signature.key_id == signed.signature.key_id
            if said.actor == act.actor or same_key:
                raise AdministrationError(
                    f"{act.actor} proposed this; it takes another administrator to approve it"
                )
            doing.act = Act(said.actor, said.reason, act.at)
            _note_used(doing, signed)
            administrators.decide(
                doing.connection, proposal_id, proposals.EXECUTED, act.actor, act.at
            )
            return self._carry_out(doing, proposal.deed, [proposal.signed, signed])

    def reject(self, proposal_id: str, act: Act, statement: bytes) -> Done:
        """End a proposal without doing it; its proposer may too."""
        with self._beginning(act) as (doing, judge):
            proposal = self._load(doing, judge, proposal_id)
            proposals.require_open(proposal)
            signed = judge.require(
                statement, Says.REJECT, proposal.deed, act, proposal=proposal.signed.raw
            )
            _note_used(doing, signed)
            administrators.decide(
                doing.connection, proposal_id, proposals.REJECTED, act.actor, act.at
            )
            row = doing.record(_about(proposal.row, "act.reject", proposal.deed), [signed.raw])
            return Done(row.log_index, 1)

    def proposal(self, proposal_id: str, at: datetime) -> Proposal:
        """Return one proposal, its statement checked."""
        with self._database.reading() as connection:
            judge = Judge.of(connection, self._identity.hub, self._fresh)
            return proposals.load(connection, judge, proposal_id, at, self._lapse_after)

    def proposals(self, at: datetime) -> list[tuple[ProposalRow, str, str]]:
        """Return all proposals, oldest first: row, state, reason.

        One that cannot be believed is in the state "changed", with why in place of the reason; one
        that is decided shows by whom.
        """
        found: list[tuple[ProposalRow, str, str]] = []
        with self._database.reading() as connection:
            judge = Judge.of(connection, self._identity.hub, self._fresh)
            for row in administrators.proposals(connection):
                if row.state != proposals.PROPOSED:
                    found.append((row, row.state, f"{row.state} by {row.decided_by}"))
                    continue
                try:
                    one = proposals.believed(judge, row, at, self._lapse_after)
                except AdministrationError as error:
                    found.append((row, "changed", str(error)))
                else:
                    found.append((row, one.state, one.said.reason))
        return found

    def try_now(self, code: str) -> None:
        """End a recipient's back-off, so that its next delivery goes out at once: no act."""
        with self._database.writing() as connection:
            if not mailboxes.load(connection, [code]):
                raise AdministrationError(f"{code} is not a participant")
            mailboxes.note_sign_of_life(connection, [code])

    @contextmanager
    def _beginning(self, act: Act) -> Iterator[tuple[Doing, Judge]]:
        """Open the transaction of one act, under the head's lock."""
        with self._database.writing() as connection:
            head = heads.lock(connection)
            judge = Judge.of(connection, self._identity.hub, self._fresh)
            yield Doing.begin(connection, head, self._identity, self._limits, act), judge

    def _load(self, doing: Doing, judge: Judge, proposal_id: str) -> Proposal:
        return proposals.load(doing.connection, judge, proposal_id, doing.at, self._lapse_after)

    def _carry_out(self, doing: Doing, deed: Deed, signed: list[SignedStatement]) -> Done:
        kind_of(deed).do(doing, deed)
        row = doing.record(deed, [one.raw for one in signed])
        return Done(row.log_index, len(signed))

    def _try_out(self, doing: Doing, deed: Deed) -> None:
        """Do a deed and take it back, to hear now what would refuse it later."""
        attempt = doing.connection.begin_nested()
        trial = Doing.begin(doing.connection, doing.head, self._identity, self._limits, doing.act)
        self._carry_out(trial, deed, [])
        attempt.rollback()


def _note_used(doing: Doing, signed: SignedStatement) -> None:
    administrators.note_used(doing.connection, signed.statement.statement_id, doing.log_index)


def _about(row: ProposalRow, kind: str, deed: Deed) -> Deed:
    """Return what is recorded when a proposal is made or rejected: it names the whole deed."""
    parameters = {"kind": deed.kind, "subject": deed.subject, "parameters": deed.parameters}
    return Deed(kind, row.proposal_id, parameters)
