"""Has anything changed? A few numbers that move with what pages show; each costs one short look.

They are asked about once a second by every console process, so nothing here reads more than some
rows by an index, or the mailboxes, of which there are as many as participants.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, literal, select, union_all

from hub.store import head as heads
from hub.store.people.tables import event, person
from hub.store.reconciliation.tables import case, night, request, session
from hub.store.tables import act_proposal, mailbox, participant
from reconciliation.case_states import CaseState


@dataclass(frozen=True, slots=True)
class Pulse:
    """Numbers by what they are about; two pulses that are equal show the same pages."""

    head: tuple[Any, ...]
    cases: tuple[Any, ...]
    nights: tuple[Any, ...]
    registries: tuple[Any, ...]
    people: tuple[Any, ...]


# One newest change a state, by the index over state and time: no state is scanned.
_CASES: Final = union_all(
    *(
        select(literal(state.value), func.max(case.c.changed_at)).where(case.c.state == state.value)
        for state in CaseState
    )
)
_ASKING: Final = select(func.count(), func.max(session.c.log_index)).where(
    session.c.state == "asking"
)
_NIGHT: Final = select(night.c.night, night.c.state).order_by(night.c.night.desc()).limit(1)
_REQUESTS: Final = select(request.c.request_id, request.c.state).order_by(
    request.c.request_id.desc()
)
_REQUESTS_LOOKED_AT: Final = 10
_MAILBOXES: Final = select(
    func.sum(mailbox.c.last_sequence),
    func.sum(mailbox.c.acknowledged_sequence),
    func.sum(mailbox.c.failure_count),
    func.max(mailbox.c.next_attempt_at),
)
_PARTICIPANTS: Final = select(func.count(), func.max(participant.c.added_at))
_PEOPLE: Final = select(func.count(), func.max(person.c.changed_at))
_PROPOSALS: Final = select(func.count()).where(act_proposal.c.state == "proposed")


def pulse(connection: Connection) -> Pulse:
    """Return the numbers as they are now."""
    head = heads.read(connection)
    return Pulse(
        head=(head.log_index,),
        cases=(_rows(connection, _CASES),),
        nights=(
            _rows(connection, _ASKING),
            _rows(connection, _NIGHT),
            _rows(connection, _REQUESTS.limit(_REQUESTS_LOOKED_AT)),
        ),
        registries=(
            *(head.trust_version, head.reference_version),
            _rows(connection, _MAILBOXES),
            _rows(connection, _PARTICIPANTS),
        ),
        people=(
            _rows(connection, _PEOPLE),
            _rows(connection, select(func.max(event.c.event_id))),
            _rows(connection, _PROPOSALS),
        ),
    )


def _rows(connection: Connection, statement: Any) -> tuple[Any, ...]:
    return tuple(tuple(row) for row in connection.execute(statement))
