"""Administrators with their keys, what they proposed to each other, and which statements were used.

None of it is ever deleted: a removed administrator's key still proves what it signed before.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, insert, or_, select, update

from hub.store.tables import act_proposal, act_statement, administrator
from keys.algorithms import Algorithm
from keys.key_ids import participant_of
from keys.public_keys import PublicKey


@dataclass(frozen=True, slots=True)
class AdministratorRow:
    """An administrator, and from when until when the key spoke for them.

    ``role`` is which acts it signs; who administers signs all of them.
    """

    name: str
    key: PublicKey
    added_at: datetime
    removed_at: datetime | None
    role: str = "administrator"


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposed act. ``statement`` is what its proposer signed; the rest repeats it to be listed.

    ``state`` is proposed, executed or rejected; ``proposal_id`` is the id of the statement.
    """

    proposal_id: str
    kind: str
    subject: str
    statement: bytes
    proposed_by: str
    proposed_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None


def every(connection: Connection) -> list[AdministratorRow]:
    """Return all administrators there ever were, by name."""
    rows = connection.execute(
        select(
            administrator.c.name,
            administrator.c.key_id,
            administrator.c.algorithm,
            administrator.c.public_key,
            administrator.c.added_at,
            administrator.c.removed_at,
            administrator.c.role,
        ).order_by(administrator.c.name)
    )
    return [
        AdministratorRow(
            name=row[0],
            key=PublicKey(participant_of(row[1]), row[1], Algorithm(row[2]), bytes(row[3])),
            added_at=row[4],
            removed_at=row[5],
            role=row[6],
        )
        for row in rows
    ]


def active(connection: Connection) -> list[AdministratorRow]:
    """Return those who are administrators now, by name."""
    return [row for row in every(connection) if row.removed_at is None]


def add(connection: Connection, row: AdministratorRow) -> None:
    """Insert an administrator."""
    connection.execute(
        insert(administrator).values(
            name=row.name,
            key_id=row.key.key_id,
            algorithm=row.key.algorithm.value,
            public_key=row.key.public_key_der,
            added_at=row.added_at,
            removed_at=row.removed_at,
            role=row.role,
        )
    )


def remove(connection: Connection, name: str, at: datetime) -> None:
    """End an administrator's time."""
    connection.execute(
        update(administrator).where(administrator.c.name == name).values(removed_at=at)
    )


_PROPOSALS = select(
    act_proposal.c.proposal_id,
    act_proposal.c.kind,
    act_proposal.c.subject,
    act_proposal.c.statement,
    act_proposal.c.proposed_by,
    act_proposal.c.proposed_at,
    act_proposal.c.state,
    act_proposal.c.decided_by,
    act_proposal.c.decided_at,
)


def add_proposal(connection: Connection, row: ProposalRow) -> None:
    """Insert a proposal."""
    connection.execute(
        insert(act_proposal).values(
            proposal_id=row.proposal_id,
            kind=row.kind,
            subject=row.subject,
            statement=row.statement,
            proposed_by=row.proposed_by,
            proposed_at=row.proposed_at,
            state=row.state,
        )
    )


def proposals(connection: Connection) -> list[ProposalRow]:
    """Return all proposals, oldest first."""
    ordered = _PROPOSALS.order_by(act_proposal.c.proposed_at, act_proposal.c.proposal_id)
    return [ProposalRow(*row) for row in connection.execute(ordered)]


def waiting(connection: Connection, limit: int) -> list[ProposalRow]:
    """Return proposals nobody has decided, oldest first."""
    found = _PROPOSALS.where(act_proposal.c.state == "proposed")
    ordered = found.order_by(act_proposal.c.proposed_at, act_proposal.c.proposal_id).limit(limit)
    return [ProposalRow(*row) for row in connection.execute(ordered)]


def decided(
    connection: Connection, limit: int, before: tuple[datetime, str] | None = None
) -> list[ProposalRow]:
    """Return decided proposals, the last made first, from the one behind ``before``."""
    found = _PROPOSALS.where(act_proposal.c.state != "proposed")
    if before is not None:
        at, proposal_id = before
        found = found.where(
            or_(
                act_proposal.c.proposed_at < at,
                and_(act_proposal.c.proposed_at == at, act_proposal.c.proposal_id < proposal_id),
            )
        )
    ordered = found.order_by(
        act_proposal.c.proposed_at.desc(), act_proposal.c.proposal_id.desc()
    ).limit(limit)
    return [ProposalRow(*row) for row in connection.execute(ordered)]


def proposal(connection: Connection, proposal_id: str) -> ProposalRow | None:
    """Return one proposal."""
    found = _PROPOSALS.where(act_proposal.c.proposal_id == proposal_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else ProposalRow(*row)


def decide(connection: Connection, proposal_id: str, state: str, by: str, at: datetime) -> None:
    """Write what became of a proposal: executed or rejected."""
    connection.execute(
        update(act_proposal)
        .where(act_proposal.c.proposal_id == proposal_id)
        .values(state=state, decided_by=by, decided_at=at)
    )


def used_at(connection: Connection, statement_id: str) -> int | None:
    """Return the log index of the act that a statement was used for, or None."""
    found = select(act_statement.c.log_index).where(act_statement.c.statement_id == statement_id)
    return connection.execute(found).scalar_one_or_none()


def note_used(connection: Connection, statement_id: str, log_index: int) -> None:
    """Write that a statement was used for the act at ``log_index``."""
    connection.execute(insert(act_statement).values(statement_id=statement_id, log_index=log_index))
