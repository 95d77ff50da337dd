"""The home page's desk: its counts are those of the tables, and its verdict is of now."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from hub.services.console.live_desk import TOPICS, LiveDesk, topics_of
from hub.services.console.nights import exchange_now
from hub.services.console.nights.exchange_now import RunningCounts
from hub.services.console.nights.heat_map import Cell, Compares, Result, heat_map
from hub.services.console.nights.tonight_desk import TonightDesk, Worry
from hub.store import head as heads
from hub.store import transfers
from hub.store.console import activity
from hub.store.console.standing import Compared
from hub.store.database import Database
from hub.store.people.tables import person
from hub.store.reconciliation import nights, sessions
from hub.store.reconciliation.nights import FINISHED, MISSED, RUNNING, NightRow
from hub.store.reconciliation.tables import case, case_range, request, session
from hub.store.tables import head, log_entry, mailbox
from hub.transparency_log.entries import encode_fields
from message_schemas import timestamps
from tests.hub.services.console.grounds import ground_over
from tests.hub.services.reconciliation.case_worlds import compared, finding
from tests.hub.services.reconciliation.night_rows import (
    BEGIN,
    NIGHT,
    plant_case,
    plant_night,
    session_row,
)
from tests.hub.world import World, accepted
from tests.integration.peers import acceptance, now

AT = datetime.fromisoformat("2026-11-23T12:00:30+00:00")


def counted(database: Database) -> dict[str, int]:
    """Return what a full count says."""
    with database.reading() as connection:
        return transfers.count_by_state(connection)


def test_running_counts_are_what_a_full_count_says(either_world: World) -> None:
    """After every step of several transfers, whatever they end in."""
    world, counts = either_world, RunningCounts()
    world.begin()

    def agree() -> None:
        with world.database.reading() as connection:
            found = counts.states(connection, now())
        assert {state: count for state, count in found.items() if count} == counted(world.database)

    agree()
    digests = {}
    for place, name in enumerate(("THA01-1", "THA01-2", "THA01-3")):
        digests[name] = world.propose(name, 1 + 10 * place, 10 + 10 * place)
        agree()
    accepted(world.say("CHE01", "THA01", acceptance("THA01-1", digests["THA01-1"])))
    agree()
    no = acceptance("THA01-2", digests["THA01-2"], decision="reject", reasons=[{"text": "no"}])
    accepted(world.say("CHE01", "THA01", no))
    agree()
    assert counted(world.database) == {"completed": 1, "proposed": 1, "rejected": 1}


def test_counts_are_made_anew_when_the_log_is_shorter(either_world: World) -> None:
    """A backup was put back: a minute later nothing is left of what was counted."""
    world, counts = either_world, RunningCounts()
    world.begin()
    world.propose("THA01-1", 1, 10)
    with world.database.reading() as connection:
        before = counts.states(connection, now())
    assert before["proposed"] == 1
    with world.database.writing() as connection:
        connection.execute(update(head).values(log_index=head.c.log_index - 2))
        connection.exec_driver_sql("DELETE FROM transfer")
    with world.database.reading() as connection:
        assert counts.states(connection, now()) == before, "another thread may be behind"
        assert counts.states(connection, now() + timedelta(minutes=2)) == {}


def plant_entries(database: Database, times: list[datetime]) -> None:
    """Append entries of these times to the log, as bytes; nothing else."""
    with database.writing() as connection:
        first = heads.read(connection).log_index + 1
        for place, at in enumerate(times):
            entry = encode_fields(
                first + place,
                "act",
                timestamps.render(at),
                "XHB01",
                "XHB01",
                [],
                {"act": "0" * 64},
            )
            connection.execute(insert(log_entry).values(log_index=first + place, entry=entry))
        connection.execute(update(head).values(log_index=first + len(times) - 1))


def test_entries_a_minute_are_counted_by_halving_the_log(either: Database, run_seed: int) -> None:
    """What each minute had, at several moments, is what reading all of it says."""
    rng = random.Random(run_seed)
    with either.writing() as connection:  # what was registered long ago
        for index, raw in connection.execute(
            select(log_entry.c.log_index, log_entry.c.entry)
        ).all():
            kind = "genesis" if index == 0 else "act"
            digests = {} if index == 0 else {"act": "0" * 64}
            old = encode_fields(index, kind, "2026-11-01T00:00:00.000Z", "", "", [], digests)
            assert raw != old
            connection.execute(
                update(log_entry).where(log_entry.c.log_index == index).values(entry=old)
            )
    begin = AT - timedelta(minutes=90)
    times = sorted(begin + timedelta(milliseconds=rng.randrange(90 * 60_000)) for _ in range(300))
    plant_entries(either, times)
    counts = RunningCounts()
    for later in (0, 20, 31, 95, 3_600):
        at = AT + timedelta(seconds=later)
        with either.reading() as connection:
            size = heads.read(connection).log_index + 1
            found = counts.minutes(connection, size, at)
        expected = [
            (begins, sum(begins <= one < begins + timedelta(minutes=1) for one in times))
            for begins, _ in found
        ]
        assert list(found) == expected
        assert len(found) == exchange_now.MINUTES


def test_the_oldest_item_is_the_first_without_acknowledgement(either_world: World) -> None:
    """Of each recipient, and of all of them."""
    world = either_world
    world.begin()
    world.propose("THA01-1", 1, 10)
    with world.database.reading() as connection:
        found = exchange_now.look(
            connection, RunningCounts(), ground_over(world.database).retry, now()
        )
        waiting = activity.oldest_waiting(connection)
    assert {queue.recipient: queue.count for queue in found.queues}["CHE01"] == 2
    assert found.oldest == min(waiting.values(), key=lambda one: one.recorded_at)
    assert found.waiting == sum(queue.count for queue in found.queues)
    with world.database.writing() as connection:
        connection.execute(update(mailbox).values(acknowledged_sequence=mailbox.c.last_sequence))
    with world.database.reading() as connection:
        found = exchange_now.look(
            connection, RunningCounts(), ground_over(world.database).retry, now()
        )
    assert (found.oldest, found.waiting, found.queues) == (None, 0, ())


# --- the map and the verdict ---------------------------------------------------------------------


def one_session(registry: str, index: int, **changes: object) -> Compared:
    """Return a session of the night that agreed."""
    made = Compared(
        f"{registry}-{index}", registry, NIGHT, "digests", "done", True, 0, index, late=False
    )
    return replace(made, **changes)  # type: ignore[arg-type] # the test names the members


NIGHTS = (
    NightRow("2026-11-20", MISSED, BEGIN),
    NightRow("2026-11-21", FINISHED, BEGIN, BEGIN, BEGIN),
    NightRow(NIGHT, FINISHED, BEGIN, BEGIN, BEGIN),
)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, Result.AGREED),
        ({"late": True}, Result.LATE),
        ({"agreed": False, "finding_count": 3}, Result.FINDINGS),
        ({"state": "silent", "agreed": None}, Result.SILENT),
        ({"state": "refused", "agreed": None}, Result.REFUSED),
        ({"state": "failed", "agreed": None}, Result.FAILED),
        ({"state": "asking", "agreed": None}, Result.WAITING),
    ],
    ids=lambda value: value.value if isinstance(value, Result) else "",
)
def test_a_cell_says_what_a_session_came_to(changes: dict[str, object], result: Result) -> None:
    """In one word, with the findings if it differed."""
    one = one_session("CHE01", 7, **changes)
    found = heat_map(NIGHTS, [Compares("CHE01", "Suisse", "digests")], [one], {}, {})
    missed, not_asked, cell = found.rows[0].cells
    assert (missed.result, not_asked.result) == (Result.MISSED, Result.NOT_ASKED)
    assert cell == Cell(result, one.finding_count, "CHE01-7")
    assert found.findings_by_night == (0, 0, one.finding_count)


def test_the_worst_session_of_a_night_makes_its_cell() -> None:
    """Units agreed, records differ: the registry differs that night."""
    both = [
        one_session("CHE01", 7),
        one_session("CHE01", 8, mode="records", agreed=False, finding_count=2),
    ]
    found = heat_map(NIGHTS, [Compares("CHE01", "Suisse", "digests")], both, {}, {})
    assert found.rows[0].cells[-1] == Cell(Result.FINDINGS, 2, "CHE01-8")


def test_a_re_run_that_agreed_ends_the_worry() -> None:
    """The night's cell stays what it was; where the registry stands is told by the newest."""
    both = [
        one_session("CHE01", 7, agreed=False, finding_count=2),
        one_session("CHE01", 9, night=None),
    ]
    found = heat_map(NIGHTS, [Compares("CHE01", "Suisse", "digests")], both, {}, {})
    assert found.rows[0].cells[-1].result is Result.FINDINGS
    assert found.rows[0].now == Cell(Result.AGREED, 0, "CHE01-9")


def test_registries_with_trouble_come_first() -> None:
    """First who differs, then who was silent, then the others by code."""
    said = [
        one_session("AAA01", 1),
        one_session("BBB01", 2, state="silent", agreed=None),
        one_session("CCC01", 3, agreed=False, finding_count=1),
        one_session("DDD01", 4, agreed=False, finding_count=9),
    ]
    known = [Compares(f"{letter * 3}01", "", "digests") for letter in "ABCDE"]
    found = heat_map(NIGHTS, known, said, {}, {})
    order = [row.registry.code for row in found.rows]
    assert order == ["DDD01", "CCC01", "BBB01", "EEE01", "AAA01"]


def test_the_verdict_is_that_of_the_tables(either: Database) -> None:
    """One differs, one was silent, one agrees; cases and frozen units as planted."""
    with either.writing() as connection:
        plant_night(connection)
    seen = TonightDesk(ground_over(either, clock=lambda: AT)).tonight()
    verdict = seen.verdict
    assert (verdict.differ, verdict.silent, verdict.agree, verdict.total) == (1, 1, 1, 3)
    assert (verdict.open_cases, verdict.frozen_units) == (3, 1_500)
    assert verdict.worry is Worry.ACT
    assert [row.night for row in seen.map.nights] == ["2026-11-21", NIGHT]
    assert dict(seen.frozen) == {"CHE01": 1_500}
    assert seen.next_night_at.isoformat() == "2026-11-24T01:30:00+00:00"


@pytest.mark.parametrize("nights_shown", [1, 14])
@pytest.mark.parametrize("asked_again", [False, True], ids=["left out", "asked again"])
def test_who_agreed_before_a_missed_night_is_not_said_to_agree(
    either: Database, nights_shown: int, asked_again: bool
) -> None:
    """Nothing is known of the night; a comparison that was asked for since tells it."""
    missed = BEGIN + timedelta(days=1)
    with either.writing() as connection:
        nights.add(connection, [NightRow(NIGHT, FINISHED, BEGIN, BEGIN, BEGIN)])
        nights.add(connection, [NightRow(str(missed.date()), MISSED, missed)])
        rows = [session_row(code, 41 + at) for at, code in enumerate(("CHE01", "GHA01", "THA01"))]
        again = [
            replace(row, session=f"{row.registry}-60", night=None, log_index=60, asked_at=AT)
            for row in rows
        ]
        sessions.add(connection, [*rows, *(again if asked_again else ())])
    verdict = TonightDesk(ground_over(either, clock=lambda: AT)).tonight(nights_shown).verdict
    expected = (3, 0, Worry.FINE) if asked_again else (0, 3, Worry.WATCH)
    quiet = replace(verdict, dangers=0)  # no checkpoint is made here, which is one
    assert (quiet.agree, quiet.stale, quiet.worry) == expected
    assert verdict.warnings > 0, "that a night was missed stands beside it all the same"


def test_where_a_registry_stands_does_not_hang_on_the_nights_shown(either: Database) -> None:
    """Units differed, records agreed, the night after was missed, and it is asked just now."""
    missed = BEGIN + timedelta(days=1)
    with either.writing() as connection:
        nights.add(connection, [NightRow(NIGHT, FINISHED, BEGIN, BEGIN, BEGIN)])
        nights.add(connection, [NightRow(str(missed.date()), MISSED, missed)])
        sessions.add(
            connection,
            [
                session_row("CHE01", 41, agreed=False, finding_count=2),
                session_row("CHE01", 42, mode="records"),
                session_row("CHE01", 60, night=None, state="asking", agreed=None, asked_at=AT),
            ],
        )
    desk = TonightDesk(ground_over(either, clock=lambda: AT))
    for count in (1, 14):
        seen = desk.tonight(count)
        assert (seen.verdict.differ, seen.verdict.worry) == (1, Worry.ACT)
        assert seen.map.rows[0].now == Cell(Result.FINDINGS, 2, "CHE01-41")


def test_frozen_units_are_never_fine(either: Database) -> None:
    """Not even where no case is open that says why."""
    with either.writing() as connection:
        plant_night(connection)
        sessions_of = update(session).values(state="done", agreed=True, finding_count=0)
        connection.execute(sessions_of)
        connection.execute(update(case).values(state="closed"))
    verdict = TonightDesk(ground_over(either, clock=lambda: AT)).tonight().verdict
    quiet = replace(verdict, dangers=0)  # no checkpoint is made here, which is one
    assert (quiet.agree, quiet.open_cases) == (3, 0)
    assert (quiet.frozen_units, quiet.worry) == (1_500, Worry.WATCH)
    assert replace(quiet, frozen_units=0).worry is Worry.FINE


def test_a_unit_that_two_cases_freeze_is_frozen_once(either: Database, run_seed: int) -> None:
    """By cases of one registry, or of two, however their serials lie over each other."""
    rng = random.Random(run_seed)
    frozen: dict[str, set[tuple[str, int]]] = {"CHE01": set(), "GHA01": set()}
    with either.writing() as connection:
        plant_night(connection)
        connection.execute(case_range.delete())
        for number in range(60):
            registry, sector = rng.choice(("CHE01", "GHA01")), rng.choice(("CA0001", "CA0002"))
            first = rng.randrange(1, 400)
            last = first + rng.choice((0, 3, 40, 200))
            is_frozen = rng.random() < 0.8
            name = f"2026-11-23/{number}"
            plant_case(connection, name, 0, registry=registry)
            connection.execute(
                insert(case_range).values(
                    case_id=name,
                    ordinal=0,
                    cooperative_approach=sector,
                    originating_registry="THA01",
                    first_transferring_party="THA",
                    vintage=2022,
                    first_serial=first,
                    last_serial=last,
                    body="{}",
                    is_frozen=is_frozen,
                )
            )
            if is_frozen:
                frozen[registry] |= {(sector, serial) for serial in range(first, last + 1)}
    seen = TonightDesk(ground_over(either, clock=lambda: AT)).tonight()
    assert dict(seen.frozen) == {registry: len(units) for registry, units in frozen.items()}
    total = len(frozen["CHE01"] | frozen["GHA01"])
    assert (seen.frozen_units, seen.verdict.frozen_units) == (total, total)


def test_ages_of_cases_are_days_of_the_calendar(either: Database) -> None:
    """Each edge lies where the list's own filter has it; one is overdue from the day after."""
    with either.writing() as connection:
        plant_night(connection)
        connection.execute(update(case).values(state="closed"))
        for place, days in enumerate((0, 1, 2, 5, 6, 10, 11, 400)):
            opened = AT.replace(hour=0, minute=0, second=0) - timedelta(days=days)
            late = opened + timedelta(hours=23, minutes=59) if days else AT
            for number, at in enumerate((opened, late)):
                plant_case(
                    connection,
                    f"2026-01-{place + 1:02}/{number}",
                    opened_at=at,
                    due_on="2026-11-22" if days == 400 else "2026-11-23",
                )
    cases = TonightDesk(ground_over(either, clock=lambda: AT)).tonight().cases
    assert cases.totals == (4, 4, 4, 4)
    assert cases.overdue == 2
    assert [group.since for group in cases.groups] == [
        *("2026-11-22", "2026-11-18", "2026-11-13"),
        None,
    ]


def test_a_comparison_that_finds_nothing_more_clears_the_page(either_world: World) -> None:
    """Real sessions: findings freeze and are counted, the next one that agrees thaws."""
    world = either_world
    world.begin()
    world.transfer("THA01-1", 1, 99)
    desk = TonightDesk(ground_over(world.database))
    compared(world, finding(11, 20))
    verdict = desk.tonight().verdict
    assert (verdict.open_cases, verdict.frozen_units) == (1, 10)
    compared(world)
    verdict = desk.tonight().verdict
    assert (verdict.open_cases, verdict.frozen_units, verdict.differ) == (0, 0, 0)


def test_a_running_night_tells_how_far_it_is(either: Database) -> None:
    """Registries that are through, of all that are asked."""
    with either.writing() as connection:
        nights.add(connection, [NightRow(NIGHT, RUNNING, BEGIN, BEGIN)])
        sessions.add(
            connection,
            [
                session_row("CHE01", 41),
                session_row("GHA01", 42, state="asking", agreed=None, finished_at=None),
            ],
        )
    progress = TonightDesk(ground_over(either, clock=lambda: AT)).tonight().progress
    assert progress is not None
    assert (progress.night, progress.done, progress.total) == (NIGHT, 1, 3)


def test_without_any_night_the_page_is_there(either: Database) -> None:
    """A hub of today: nothing was compared, nobody is accused."""
    seen = TonightDesk(ground_over(either)).tonight()
    assert (seen.verdict.total, seen.verdict.never) == (3, 3)
    assert seen.map.nights == ()
    assert seen.map.findings_by_night == ()


# --- live ----------------------------------------------------------------------------------------


def test_each_change_is_told_by_its_topic(either: Database) -> None:
    """And nothing is told when nothing changed."""
    desk = LiveDesk(ground_over(either))
    with either.writing() as connection:
        plant_night(connection)
    before = desk.look()
    assert topics_of(before, desk.look()) == []
    changes = {
        "head": update(head).values(log_index=head.c.log_index + 1),
        "cases": update(case).where(case.c.case_id == "2026-11-22/1").values(changed_at=AT),
        "nights": insert(request).values(asked_at=AT, actor="a", state="waiting"),
        "registries": update(mailbox).where(mailbox.c.recipient == "CHE01").values(failure_count=1),
        "people": insert(person).values(
            person_id="p",
            name="kim",
            display_name="Kim",
            role="viewer",
            state="active",
            created_at=AT,
            changed_at=AT,
        ),
    }
    assert tuple(changes) == TOPICS
    for topic, statement in changes.items():
        with either.writing() as connection:
            connection.execute(statement)
        after = desk.look()
        assert topics_of(before, after) == [topic]
        before = after
