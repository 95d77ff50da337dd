"""Proposed acts as they lie in the database, believed only as far as their signature goes.

The row repeats what the statement says, to be listed. What is done on approval is read from the
statement alone, after its signature was checked again: a row that somebody changed is refused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from hub.services.administration.authority import Judge, require_right
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.statements import Says, SignedStatement, Statement, read_statement
from hub.store import administrators
from hub.store.administrators import ProposalRow
from message_schemas import timestamps

LAPSE_AFTER: Final = timedelta(days=7)
PROPOSED: Final = "proposed"
EXECUTED: Final = "executed"
REJECTED: Final = "rejected"
LAPSED: Final = "lapsed"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal whose statement was checked, and how it stands: a state of its row, or lapsed."""

    row: ProposalRow
    signed: SignedStatement
    state: str

    @property
    def deed(self) -> Deed:
        """What is proposed."""
        return self.signed.statement.deed

    @property
    def said(self) -> Statement:
        """What its proposer signed."""
        return self.signed.statement


def row_of(signed: SignedStatement) -> ProposalRow:
    """Return the row that a proposal's statement is stored in."""
    said = signed.statement
    return ProposalRow(
        proposal_id=said.statement_id,
        kind=said.deed.kind,
        subject=said.deed.subject,
        statement=signed.raw,
        proposed_by=said.actor,
        proposed_at=said.at,
        state=PROPOSED,
        decided_by=None,
        decided_at=None,
    )


def load(
    connection: Connection, judge: Judge, proposal_id: str, at: datetime, lapse_after: timedelta
) -> Proposal:
    """Return a proposal. Raises AdministrationError if it is not there or was changed."""
    row = administrators.proposal(connection, proposal_id)
    if row is None:
        raise AdministrationError(
            f"there is no proposal {proposal_id[:60]}; "
            "`itmo-hub administrator proposals` lists them"
        )
    return believed(judge, row, at, lapse_after)


def believed(judge: Judge, row: ProposalRow, at: datetime, lapse_after: timedelta) -> Proposal:
    """Check a stored proposal again. Raises AdministrationError."""
    try:
        signed = read_statement(row.statement)
        require_right(judge.require_signature(signed), signed.statement.deed.kind)
    except AdministrationError as error:
        raise AdministrationError(
            f"the proposal {row.proposal_id} cannot be believed: {error}"
        ) from error
    made = row_of(signed)
    stored = (row.proposal_id, row.kind, row.subject, row.proposed_by, row.proposed_at)
    signed_for = (made.proposal_id, made.kind, made.subject, made.proposed_by, made.proposed_at)
    if stored != signed_for or signed.statement.says is not Says.PROPOSE:
        raise AdministrationError(
            f"the proposal {row.proposal_id} was changed in the database: it is stored as "
            f"{row.kind} {row.subject}, and {made.proposed_by} signed {made.kind} {made.subject}"
        )
    lapsed = row.state == PROPOSED and at > made.proposed_at + lapse_after
    return Proposal(row, signed, LAPSED if lapsed else row.state)


def require_open(proposal: Proposal) -> None:
    """Raise AdministrationError unless a proposal still waits for a second administrator."""
    row = proposal.row
    if proposal.state == LAPSED:
        raise AdministrationError(
            f"the proposal {row.proposal_id} of {timestamps.render(row.proposed_at)} has lapsed; "
            "propose it again"
        )
    if proposal.state != PROPOSED:
        raise AdministrationError(
            f"the proposal {row.proposal_id} was {proposal.state} by {row.decided_by} already"
        )
