"""Nights: when they are due, whom they compare, and that they end, whatever happens meanwhile."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.reconciliation.ledger import own_books
from hub.services.reconciliation.ledger.own_books import OwnBooks
from hub.services.reconciliation.runs import questions
from hub.services.reconciliation.runs.night_dates import due_at, latest_due, missed_between
from hub.services.reconciliation.runs.nights import Round, Target, by_day, hindrance_of, plan
from hub.store import alerts
from hub.store.database import Database
from hub.store.reconciliation import links, nights, sessions
from hub.store.reconciliation.nights import NightRow
from hub.store.reconciliation.sessions import SessionRow
from tests.hub.services.reconciliation.run_worlds import POLICY, RunWorld

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KNOWN = [Target(code, ("digests",)) for code in ("CHE01", "GHA01", "THA01")]


def row(registry: str, state: str = "asking", mode: str = "digests") -> SessionRow:
    """Return a session of a night."""
    name = f"{registry}-1"
    return SessionRow(
        name, registry, "2026-11-22", None, "night", mode, 1, None, state, AT, AT + DAY
    )


@given(
    now=st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1 < at.year < 9_999),
    minutes=st.integers(0, 24 * 60 - 1),
)
def test_the_latest_due_night_is_less_than_a_day_old(now: datetime, minutes: int) -> None:
    """Whatever the time of day: it was due, and the next one was not."""
    at = f"{minutes // 60:02}:{minutes % 60:02}"
    night = latest_due(at, now)
    assert due_at(night, at) <= now < due_at(night + DAY, at)


@given(days=st.integers(1, 40))
def test_the_nights_between_two_that_ran_were_missed(days: int) -> None:
    """Each once, in order; none before the first night."""
    last = date(2026, 11, 1)
    missed = missed_between(last, last + days * DAY)
    assert missed == [last + n * DAY for n in range(1, days)]
    assert missed_between(None, last) == []


def test_a_round_begins_what_it_lacks_in_turn_and_not_more_than_is_allowed() -> None:
    """By code, so many seconds apart; whoever is being asked waits; ended sessions count."""
    round_ = Round("night", AT, night="2026-11-22", stagger_seconds=10)

    def begun(
        *own: SessionRow, after: int, busy: tuple[SessionRow, ...] = (), most: int = 9
    ) -> str:
        now = AT + timedelta(seconds=after)
        made = plan(round_, KNOWN, own, [*own, *busy], open_max=most, now=now)
        return " ".join(one.registry for one in made.beginnings)

    assert begun(after=0) == "CHE01"
    assert begun(after=10) == "CHE01 GHA01"
    assert begun(after=60) == "CHE01 GHA01 THA01"
    assert begun(after=60, most=2) == "CHE01 GHA01"
    assert begun(row("CHE01"), after=60, most=2) == "GHA01"
    assert begun(row("CHE01"), row("GHA01"), after=60, most=2) == ""
    assert begun(after=60, busy=(row("GHA01"),)) == "CHE01 THA01"


def test_a_round_is_over_when_everybody_was_compared_and_nobody_is_open() -> None:
    """Also by records; a silent registry has been compared as far as it can be."""
    round_ = Round("night", AT, night="2026-11-22")
    known = [Target("CHE01", ("digests", "records")), Target("GHA01", hindrance="off")]

    def is_over(*own: SessionRow) -> bool:
        return plan(round_, known, own, [], open_max=9, now=AT).is_over

    assert not is_over()
    assert not is_over(row("CHE01", "done"))
    assert not is_over(row("CHE01", "done"), row("CHE01", mode="records"))
    assert is_over(row("CHE01", "silent"), row("CHE01", "done", mode="records"))
    # Who fell back to totals was compared on units.
    assert is_over(row("CHE01", "done", "totals"), row("CHE01", "done", "records"))


def test_by_day_a_registry_is_compared_after_so_many_movements() -> None:
    """Not while it is being asked, nor when the operator wants none."""
    moved = {"CHE01": 100, "GHA01": 99, "THA01": 500}
    policy = ReconciliationPolicy(movements_between=100)
    due = by_day(KNOWN, moved, [row("THA01")], policy, AT)
    assert [(one.registry, one.trigger) for one in due] == [("CHE01", "movements")]
    assert by_day(KNOWN, moved, [], ReconciliationPolicy(movements_between=0), AT) == []


def test_a_request_that_can_compare_nobody_says_why() -> None:
    """A stranger, a registry that is not active, or one that is not asked."""
    off = Target("GHA01", hindrance="GHA01 is not compared")
    assert hindrance_of("GHA01", [off], ["GHA01"]) == "GHA01 is not compared"
    assert hindrance_of(None, [off], ["GHA01"]) == "GHA01 is not compared"
    assert hindrance_of(None, [*KNOWN, off], []) is None
    assert "not an active Party registry" in (hindrance_of("XMR01", KNOWN, ["XMR01"]) or "")
    assert "no participant" in (hindrance_of("ZZZ01", KNOWN, []) or "")
    assert "no active" in (hindrance_of(None, [], []) or "")


# --- as they run --------------------------------------------------------------------------------


def newest(runs: RunWorld) -> NightRow:
    """Return the latest night."""
    with runs.database.reading() as connection:
        (found,) = nights.newest(connection, 1)
    return found


async def ended(runs: RunWorld) -> NightRow:
    """Let hub and registries work until the night has ended; the books are checked beside it."""
    for _ in range(200):
        await runs.until_quiet()
        if newest(runs).state == nights.FINISHED:
            return newest(runs)
        await runs.pause()
    raise AssertionError("the night does not end")


async def test_a_night_compares_everybody_and_checks_the_own_books(either: Database) -> None:
    """Due once a day: nothing before its time, one session each, a report of what ran."""
    runs = RunWorld(either)
    runs.sold()
    await runs.until_quiet()
    assert runs.sessions() == []
    runs.ahead = DAY
    night = await ended(runs)
    assert {row.trigger for row in runs.sessions()} == {"night"}
    assert {row.registry: row.night for row in runs.sessions()} == dict.fromkeys(
        ("CHE01", "GHA01", "THA01"), night.night
    )
    assert night.own_books is not None
    assert OwnBooks.from_json(night.own_books).is_sound
    assert night.summary is not None
    assert json.loads(night.summary) == {"sessions": {"agreed": 3}, "not_compared": {}}
    await runs.until_quiet()
    assert len(runs.sessions()) == 3
    runs.ahead = 2 * DAY
    second = await ended(runs)
    assert second.night > night.night
    assert len(runs.sessions()) == 6


async def test_nights_while_the_hub_was_down_are_missed_and_one_is_caught_up(
    sqlite: Database,
) -> None:
    """The latest one runs at once, late; those before it are written down."""
    runs = RunWorld(sqlite)
    runs.sold()
    runs.ahead = DAY
    await ended(runs)
    runs.ahead = 5 * DAY
    await ended(runs)
    with runs.database.reading() as connection:
        rows = nights.newest(connection, 9)[::-1]
    assert [one.state for one in rows] == ["finished", "missed", "missed", "missed", "finished"]
    days = [date.fromisoformat(one.night) for one in rows]
    assert days == [days[0] + n * DAY for n in range(5)]
    assert len(runs.sessions()) == 6


async def test_a_night_goes_on_in_another_process_from_any_point(either: Database) -> None:
    """A worker that knows nothing takes each single turn: nobody is asked twice."""
    runs = RunWorld(either)
    runs.sold()
    runs.ahead = DAY
    for _ in range(40):
        worker = runs.another_worker()
        await worker.turn()
        for registry in runs.registries.values():
            registry.work()
        await runs.pause(worker)
        if newest(runs).state == nights.FINISHED:
            break
    assert newest(runs).state == nights.FINISHED
    assert sorted(one.registry for one in runs.sessions()) == ["CHE01", "GHA01", "THA01"]
    assert all(len(registry.asked) == 1 for registry in runs.registries.values())


async def test_a_night_waits_for_who_is_silent_and_ends_without_them(sqlite: Database) -> None:
    """The others have their results at once."""
    runs = RunWorld(sqlite)
    runs.sold()
    runs.registries["GHA01"].answers = False
    runs.ahead = DAY
    await runs.until_quiet()
    assert runs.results() == {"CHE01": "agreed", "GHA01": "asking", "THA01": "agreed"}
    assert newest(runs).state == nights.RUNNING
    runs.ahead += timedelta(seconds=POLICY.answer_seconds + 1)
    night = await ended(runs)
    assert json.loads(night.summary or "")["sessions"] == {"agreed": 2, "silent": 1}


async def test_who_is_not_compared_stands_in_the_nights_summary(sqlite: Database) -> None:
    """By hand switched off, by statement, or for want of a secret."""
    runs = RunWorld(sqlite, has_master=False)
    runs.sold()
    with runs.database.writing() as connection:
        links.set_mode(connection, "CHE01", "off")
        links.set_mode(connection, "GHA01", "statement")
    runs.ahead = DAY
    night = await ended(runs)
    assert runs.sessions() == []
    summary = json.loads(night.summary or "")
    assert sorted(summary["not_compared"]) == ["CHE01", "GHA01", "THA01"]
    assert "reconcile secret new" in summary["not_compared"]["THA01"]


async def test_the_report_of_a_night_is_written_where_the_operator_wants_it(
    sqlite: Database, tmp_path: Path
) -> None:
    """In every form, as soon as it has ended."""
    policy = ReconciliationPolicy(stagger_seconds=0, report_directory=str(tmp_path / "reports"))
    runs = RunWorld(sqlite, policy)
    runs.sold()
    runs.ahead = DAY
    night = await ended(runs)
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        f"reconciliation-{night.night}.{form}" for form in ("csv", "html", "json")
    }


async def test_a_report_that_cannot_be_written_holds_up_no_night(
    sqlite: Database, tmp_path: Path
) -> None:
    """The folder is a file: the night ends all the same."""
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "reports"
    policy = ReconciliationPolicy(stagger_seconds=0, report_directory=str(directory))
    runs = RunWorld(sqlite, policy)
    runs.sold()
    runs.ahead = DAY
    assert (await ended(runs)).state == nights.FINISHED


async def test_a_check_of_the_own_books_that_fails_holds_up_no_night(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a defect of ours: the operator is told, the registries are compared."""

    def fails(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(own_books, "check", fails)
    runs = RunWorld(sqlite)
    runs.sold()
    runs.ahead = DAY
    night = await ended(runs)
    assert night.own_books is None
    assert set(runs.results().values()) == {"agreed"}
    with runs.database.reading() as connection:
        assert "a defect" in alerts.newest(connection)[0].detail


async def test_by_day_the_movements_since_the_last_cut_count(sqlite: Database) -> None:
    """Three transfers to Switzerland reach the number; four more of nobody do not."""
    runs = RunWorld(sqlite, ReconciliationPolicy(movements_between=3, stagger_seconds=0))
    runs.world.begin()
    await runs.until_quiet()  # the digests are built
    for n in range(3):
        runs.world.transfer(f"THA01-{n + 1}", 100 * n + 1, 100 * n + 90)
    for registry in runs.registries.values():
        registry.copy_of_ledger()
    await runs.until_quiet()
    assert runs.sessions() == []
    runs.ahead = timedelta(minutes=2)
    await runs.until_quiet()
    assert [(one.registry, one.trigger) for one in runs.sessions()] == [("CHE01", "movements")]
    runs.ahead = timedelta(minutes=4)
    await runs.until_quiet()
    assert len(runs.sessions()) == 1


def test_a_cut_by_two_processes_at_once_is_asked_once(sqlite: Database) -> None:
    """The second one finds the session open under the lock, and asks nothing."""
    runs = RunWorld(sqlite)
    runs.sold()
    request = runs.ask("CHE01")
    one = plan(
        Round("request", AT, request_id=request, registry="CHE01"),
        KNOWN,
        [],
        [],
        open_max=9,
        now=AT,
    ).beginnings
    for expected in (1, 0):
        asked = questions.begin(
            runs.database, one, hub="XHB01", answer_seconds=60, now=runs.clock()
        )
        assert len(asked.begun) == expected
    with runs.database.reading() as connection:
        assert sessions.open_question_count(connection) == 1
