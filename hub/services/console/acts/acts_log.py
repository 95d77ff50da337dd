"""What was done and what waits: acts with the check of ``itmo-hub act``, and proposals."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.services.administration import proposals
from hub.services.administration.authority import Judge
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.recorded_acts import ActReader, RecordedAct
from hub.services.administration.statements import SignedStatement, read_statement
from hub.services.console.ground import Ground
from hub.store import acts, administrators
from hub.store.administrators import ProposalRow
from message_schemas import timestamps

PAGE_COUNT: Final = 50
WAITING_COUNT_MAX: Final = 200
CHANGED: Final = "changed"


@dataclass(frozen=True, slots=True)
class ActsPage:
    """Acts, newest first; ``older`` is where the next page begins, None at the end."""

    acts: list[RecordedAct]
    older: int | None


@dataclass(frozen=True, slots=True)
class ListedProposal:
    """A proposal in a list. ``state`` is "changed" for one that cannot be believed (``fault``)."""

    row: ProposalRow
    state: str
    reason: str
    lapses_at: datetime
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ProposalsPage:
    """Proposals, the last made first; ``older`` is the cursor of the next page."""

    proposals: list[ListedProposal]
    older: str | None


@dataclass(frozen=True, slots=True)
class ShownProposal:
    """One proposal as its proposer signed it, or why it cannot be believed (``fault``).

    Of one that is decided the signature is not judged by the administrators of today: what came of
    it is in the log with its statements.
    """

    row: ProposalRow
    state: str
    lapses_at: datetime
    deed: Deed | None
    reason: str
    key_id: str
    statement: str
    fault: str


class ActsLog:
    """Reads acts and proposals. Methods block; they raise DatabaseUnavailableError."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._fresh = timedelta(seconds=ground.limits.clock_skew_seconds_max)

    def page(
        self,
        before: int | None = None,
        *,
        kind: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
    ) -> ActsPage:
        """Return a page of acts, each with whether it holds."""
        with self._ground.database.reading() as connection:
            reader = ActReader(connection, self._ground.identity.hub, self._ground.limits)
            found = reader.page(
                PAGE_COUNT + 1, before=before, kind=kind, actor=actor, subject=subject
            )
        shown = found[:PAGE_COUNT]
        return ActsPage(shown, shown[-1].row.log_index if len(found) > PAGE_COUNT else None)

    def act(self, log_index: int) -> RecordedAct | None:
        """Return one act with its check, or None if that entry is none."""
        with self._ground.database.reading() as connection:
            if acts.at(connection, log_index) is None:
                return None
            reader = ActReader(connection, self._ground.identity.hub, self._ground.limits)
            return reader.at(log_index)

    def waiting(self) -> list[ListedProposal]:
        """Return the proposals nobody has decided, oldest first; the lapsed ones too."""
        now, lapse = self._ground.clock(), self._ground.proposal_lapse
        found: list[ListedProposal] = []
        with self._ground.database.reading() as connection:
            judge = Judge.of(connection, self._ground.identity.hub, self._fresh)
            for row in administrators.waiting(connection, WAITING_COUNT_MAX):
                lapses_at = row.proposed_at + lapse
                try:
                    one = proposals.believed(judge, row, now, lapse)
                except AdministrationError as error:
                    found.append(ListedProposal(row, CHANGED, "", lapses_at, str(error)))
                else:
                    found.append(ListedProposal(row, one.state, one.said.reason, lapses_at))
        return found

    def decided(self, cursor: str | None = None) -> ProposalsPage:
        """Return a page of decided proposals. A cursor that is none begins anew."""
        with self._ground.database.reading() as connection:
            rows = administrators.decided(connection, PAGE_COUNT + 1, _place(cursor))
        lapse = self._ground.proposal_lapse
        shown = [
            ListedProposal(row, row.state, "", row.proposed_at + lapse) for row in rows[:PAGE_COUNT]
        ]
        last = rows[PAGE_COUNT - 1] if len(rows) > PAGE_COUNT else None
        older = None if last is None else f"{timestamps.render(last.proposed_at)}_"
        return ProposalsPage(shown, None if last is None else f"{older}{last.proposal_id}")

    def proposal(self, proposal_id: str) -> ShownProposal | None:
        """Return one proposal with its statement checked again, or None if there is none."""
        now, lapse = self._ground.clock(), self._ground.proposal_lapse
        with self._ground.database.reading() as connection:
            row = administrators.proposal(connection, proposal_id)
            if row is None:
                return None
            judge = Judge.of(connection, self._ground.identity.hub, self._fresh)
            state, fault = row.state, ""
            signed: SignedStatement | None = None
            try:
                if state == proposals.PROPOSED:
                    one = proposals.believed(judge, row, now, lapse)
                    state, signed = one.state, one.signed
                else:
                    signed = read_statement(row.statement)
            except AdministrationError as error:
                state, fault = CHANGED, str(error)
        return ShownProposal(
            row=row,
            state=state,
            lapses_at=row.proposed_at + lapse,
            deed=None if signed is None else signed.statement.deed,
            reason="" if signed is None else signed.statement.reason,
            key_id="" if signed is None else signed.signature.key_id,
            statement=row.statement.decode("utf-8", "replace"),
            fault=fault,
        )


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    at, _, proposal_id = cursor.partition("_")
    try:
        return timestamps.parse(at), proposal_id[:36]
    except ValueError:
        return None
