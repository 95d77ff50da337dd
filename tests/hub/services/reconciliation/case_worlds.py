"""Sessions that end with findings made up here, on a hub whose ledger and intake are real.

Thailand sells units 1 to 99 of 2022 to Switzerland (``sold``); findings are about those, seen from
Switzerland unless said otherwise.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from hub.checks.frozen import Freeze
from hub.international_registry.units import Series as LedgerSeries
from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.reconciliation.cases.ending import Ended, Ending, end_session
from hub.store import head as heads
from hub.store.reconciliation import cases, sessions
from hub.store.reconciliation.cases import CaseRow
from hub.store.reconciliation.sessions import SessionRow
from message_schemas.messages.reconciliation import RecordFinding
from reconciliation.cases import allowed_message, merged
from reconciliation.discrepancies import Finding, FindingKind, kind_without_cause
from reconciliation.owned import Owned, Series, differing_fields
from reconciliation.run_states import Basis, Outcome
from tests.hub.world import World
from tests.integration.peers import now

SERIES: Final = Series("CA0001", "THA01", "THA", 2022)
LEDGER_SERIES: Final = LedgerSeries(*SERIES)
HELD: Final[Owned] = (
    *("held", "yes", "GHG", "Emission reductions", "TH-2022-001", "1", "Transportation"),
    *("Transport", None, None, None, None, None),
)
USED: Final[Owned] = ("used", *HELD[1:])
CANCELLED: Final[Owned] = ("cancelled", *HELD[1:])
OTHER_SECTOR: Final[Owned] = (*HELD[:6], "Waste", *HELD[7:])
POLICY: Final = ReconciliationPolicy(due_days=5)

VIEWS: Final[dict[FindingKind, tuple[tuple[Owned, ...], tuple[Owned, ...]]]] = {
    FindingKind.LOST_MESSAGE: ((HELD,), ()),
    FindingKind.DOUBLED_MESSAGE: ((HELD,), (HELD, HELD)),
    FindingKind.MISSING_AT_REGISTRY: ((HELD,), ()),
    FindingKind.MISSING_AT_LEDGER: ((), (HELD,)),
    FindingKind.ATTRIBUTE_DIFFERS: ((HELD,), (OTHER_SECTOR,)),
    FindingKind.HELD_TWICE: ((HELD,), (HELD, HELD)),
    FindingKind.ENDED_ON_ONE_SIDE: ((HELD,), (USED,)),
    FindingKind.IN_FLIGHT: ((HELD,), ()),
    FindingKind.TIMING: ((), (HELD,)),
}
"""Views that a finding of each kind has, ledger before registry."""


def finding(
    first: int,
    last: int,
    kind: FindingKind | None = None,
    *,
    series: Series = SERIES,
    ledger: tuple[Owned, ...] = (HELD,),
    registry: tuple[Owned, ...] = (),
    cause_index: int | None = None,
    reference: str | None = None,
) -> Finding:
    """Return a finding; missing at the registry unless views or kind say otherwise."""
    if kind is not None and (ledger, registry) == ((HELD,), ()):
        ledger, registry = VIEWS[kind]
    if kind is None:
        kind = kind_without_cause(ledger, registry)
    fields: tuple[str, ...] = ()
    if len(ledger) == len(registry) == 1:
        fields = differing_fields(ledger[0], registry[0])
    return Finding(kind, series, first, last, ledger, registry, fields, cause_index, reference)


def begin_session(world: World, registry: str = "CHE01", mode: str = "digests") -> SessionRow:
    """Enter a session that asks; it is named like one whose cut is the newest entry."""
    with world.database.writing() as connection:
        index = heads.lock(connection).log_index
        row = SessionRow(
            session=f"{registry}-{index}",
            registry=registry,
            night=None,
            request_id=None,
            trigger="request",
            mode=mode,
            log_index=index,
            key_id=None,
            state=sessions.ASKING,
            asked_at=now(),
            answer_by=now() + timedelta(hours=1),
        )
        sessions.add(connection, [row])
    return row


def outcome_of(session: SessionRow, *findings: Finding, **changes: Any) -> Outcome:
    """Return the outcome of a comparison as of the session's cut."""
    passing = (FindingKind.IN_FLIGHT, FindingKind.TIMING)
    outcome = Outcome(
        session.session,
        session.log_index,
        session.log_index,
        agreed=all(one.kind in passing for one in findings),
        basis=Basis.BLOCKS if findings else Basis.DIGESTS,
        findings=findings,
        question_count=1,
    )
    return replace(outcome, **changes)


def finish(world: World, session: SessionRow, ending: Ending, at: datetime | None = None) -> Ended:
    """End a session."""
    return end_session(
        world.database,
        identity=world.identity,
        policy=POLICY,
        session=session,
        ending=ending,
        now=at or now(),
    )


def compared(
    world: World,
    *findings: Finding,
    registry: str = "CHE01",
    at: datetime | None = None,
    **changes: Any,
) -> Ended:
    """Have a session find exactly this."""
    session = begin_session(world, registry)
    outcome = outcome_of(session, *findings, **changes)
    return finish(world, session, Ending("done", outcome), at)


def compared_records(world: World, *findings: RecordFinding, registry: str = "CHE01") -> Ended:
    """Have a session about transfers without units find exactly this."""
    session = begin_session(world, registry, "records")
    return finish(world, session, Ending("done", None, findings))


def unanswered(world: World, state: Any = "silent", registry: str = "CHE01") -> Ended:
    """Have a session end without a comparison."""
    return finish(world, begin_session(world, registry), Ending(state, None))


def case_of(world: World, case_id: str) -> CaseRow:
    """Return a case."""
    with world.database.reading() as connection:
        return cases.load(connection, [case_id])[case_id]


def events_of(world: World, case_id: str) -> list[str]:
    """Return the kinds of a case's events, oldest first."""
    with world.database.reading() as connection:
        return [row.kind for row in cases.events(connection, case_id)]


def frozen_now(world: World, series: LedgerSeries = LEDGER_SERIES) -> list[tuple[int, int, Freeze]]:
    """Return what is frozen of a series, as every hub process sees it."""
    with world.database.reading() as connection:
        return cases.frozen(connection).over(series, 1, 2**62)


def frozen_serials(world: World) -> list[tuple[int, int]]:
    """Return the frozen serials, without their cases."""
    return [(first, last) for first, last, _ in frozen_now(world)]


def assert_exactly_frozen(world: World, findings: list[Finding]) -> None:
    """Frozen is what the findings say, in as few ranges as they make, with what is allowed."""
    expected = [(one.first, one.last, allowed_message(one)) for one in merged(findings)]
    found = [(first, last, freeze.allows) for first, last, freeze in frozen_now(world)]
    assert found == expected
    assert all(left[1] < right[0] for left, right in pairwise(found))
