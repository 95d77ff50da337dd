"""Lists of cases as people ask for them, their counts and tables, searches kept, entries shown."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub.services.administration.corrections import correct_ledger
from hub.services.console import filter_desk
from hub.services.console.cases import case_desk
from hub.services.console.cases.case_desk import CaseDesk, CaseView, CaseViewError
from hub.services.console.cases.case_entries import CaseEntries
from hub.services.console.cases.case_story import CaseStories, UnknownCaseError
from hub.services.console.exports import csv_rows
from hub.services.console.filter_desk import FilterDesk, FilterError
from hub.services.reconciliation.cases import case_acts
from message_schemas.messages.reconciliation import RecordedTransfer, RecordFinding
from reconciliation.discrepancies import FindingKind
from tests.hub.console.console_world import add_person
from tests.hub.services.console.grounds import ground_over
from tests.hub.services.reconciliation.case_worlds import (
    HELD,
    USED,
    compared,
    compared_records,
    finding,
    unanswered,
)
from tests.hub.world import World, act


@pytest.fixture
def sold(either_world: World) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 99)
    return either_world


@pytest.fixture
def four(sold: World) -> list[str]:
    """Return three cases of Switzerland and one of Ghana; the first is Ada's, the last closed."""
    found = compared(
        sold,
        finding(1, 10),
        finding(20, 21, registry=(USED,)),
        finding(30, 30, registry=(HELD, HELD)),
    ).opened
    (other,) = compared(sold, finding(30, 31, ledger=(), registry=(HELD,)), registry="GHA01").opened
    compared(sold, registry="GHA01")
    sold.administration.do(case_acts.assign([found[0]], "ada"), act())
    return [*found, other]


def listed(world: World, view: CaseView, me: str = "ada", **changes: Any) -> list[str]:
    """Return the ids of all pages of a list."""
    desk, found, after = CaseDesk(ground_over(world.database, **changes)), [], None
    while True:
        shown = desk.listed(view, me, after)
        found += [row.case_id for row in shown.rows]
        if shown.next is None:
            return found
        after = shown.next


def test_a_list_is_what_is_asked_for(sold: World, four: list[str]) -> None:
    """By state, registry, kind, person, age, and by name."""
    for view, expected in (
        (CaseView(), four[:3]),
        (CaseView(state="all"), four),
        (CaseView(state="closed"), four[3:]),
        (CaseView(state="acknowledged"), []),
        (CaseView(state="all", registry="GHA01"), four[3:]),
        (CaseView(kind="held_twice"), [four[2]]),
        (CaseView(assignee="~me"), [four[0]]),
        (CaseView(assignee="ada"), [four[0]]),
        (CaseView(assignee="~nobody"), four[1:3]),
        (CaseView(older_days=1), []),
        (CaseView(since=datetime.now(UTC).date()), four[:3]),
        (CaseView(since=date(2199, 1, 1)), []),
        (CaseView(state="all", named=four[3]), [four[3]]),
        (CaseView(named="nothing like it"), []),
        (CaseView(is_overdue=True), []),
        (CaseView(order="-units"), [four[0], four[1], four[2]]),
        (CaseView(order="units"), [four[2], four[1], four[0]]),
    ):
        assert listed(sold, view) == expected, view
    assert listed(sold, CaseView(assignee="~me"), me="bert") == []


def test_a_case_is_overdue_from_the_day_after_its_day(sold: World, four: list[str]) -> None:
    """By the clock of the hub; a closed one never is."""
    later = datetime.now(UTC) + timedelta(days=6)
    assert listed(sold, CaseView(is_overdue=True), clock=lambda: later) == four[:3]
    assert listed(sold, CaseView(state="all", is_overdue=True), clock=lambda: later) == four[:3]
    assert CaseStories(ground_over(sold.database, clock=lambda: later)).story(four[0]).is_overdue
    sold.administration.do(case_acts.set_due([four[0]], "2199-12-31"), act())
    assert listed(sold, CaseView(is_overdue=True), clock=lambda: later) == four[1:3]


def test_facets_count_open_cases_with_another_value_of_one_filter(
    sold: World, four: list[str]
) -> None:
    """And with all other filters as they are."""
    desk = CaseDesk(ground_over(sold.database))
    shown = desk.listed(CaseView(assignee="~nobody"), "ada")
    counts = {
        name: {one.value: one.count for one in values} for name, values in shown.facets.items()
    }
    assert counts["assignee"] == {"~nobody": 2, "ada": 1}
    assert counts["kind"] == {"used_or_cancelled_on_one_side": 1, "held_twice": 1}
    assert counts["registry"] == {"CHE01": 2}
    assert counts["state"] == {"open": 2}
    assert (shown.open_count, shown.closed_count) == (2, 1)
    assert desk.listed(CaseView(state="all"), "ada").open_count is None
    assert desk.listed(CaseView(registry="THA01"), "ada").facets["registry"][-1].count == 0
    assert four


def test_pages_of_a_list_are_followed_by_their_places(
    sold: World, four: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every order; a place of another list is refused in words."""
    monkeypatch.setattr(case_desk, "PAGE_ROWS", 1)
    for order in case_desk.ORDERS:
        assert sorted(listed(sold, CaseView(state="all", order=order))) == sorted(four)
    desk = CaseDesk(ground_over(sold.database))
    for place in ("", "x~y", "~", "12", "9" * 30 + "~2026-11-22/1", "-1~2026-11-22/1", "1~\n"):
        with pytest.raises(CaseViewError, match="no place of this list"):
            desk.listed(CaseView(), "ada", place)
    for view in (CaseView(state="lost"), CaseView(order="sideways")):
        with pytest.raises(CaseViewError, match="is one of"):
            desk.listed(view, "ada")


def test_a_table_has_the_cases_of_the_list_and_no_formula(
    sold: World, four: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its order, read part by part; what a spreadsheet would run is a text."""
    sold.administration.do(case_acts.assign([four[1]], "=HYPERLINK(0)"), act())
    desk = CaseDesk(ground_over(sold.database))
    monkeypatch.setattr(case_desk, "_EXPORT_PAGE_ROWS", 2)
    rows = list(desk.exported(CaseView(state="all"), "ada"))
    assert [row[0] for row in rows] == four
    text = b"".join(csv_rows(case_desk.EXPORTED, rows)).decode()
    assert ",'=HYPERLINK(0)," in text
    assert ",=" not in text
    monkeypatch.setattr(case_desk, "EXPORT_ROWS_MAX", 3)
    rows = list(desk.exported(CaseView(state="all"), "ada"))
    assert [row[0] for row in rows[:3]] == four[:3]
    assert "only the first 3 cases" in str(rows[3][0])


def test_those_who_may_work_cases_are_offered_as_assignees(sold: World) -> None:
    """Officers and administrators, while they may sign in."""
    for name, role in (("ada", "officer"), ("bert", "viewer"), ("cleo", "administrator")):
        add_person(sold.database, name, role)
    add_person(sold.database, "dora", "officer", state="disabled")
    found = CaseDesk(ground_over(sold.database)).colleagues()
    assert [one.name for one in found] == ["ada", "cleo"]


# --- stories -------------------------------------------------------------------------------------


def test_a_case_without_serials_has_a_story_as_well(sold: World) -> None:
    """No answer, and transfers that moved no units: words, no line."""
    stories = CaseStories(ground_over(sold.database))
    (silent,) = unanswered(sold).opened
    story = stories.story(silent)
    assert (story.series, story.records, story.comparison) == ((), (), None)
    assert not story.may_be_compensated
    differing = RecordFinding(
        transfer_id="THA01-9",
        ledger=RecordedTransfer(transfer_id="THA01-9", state="completed", quantity=10),
    )
    (records,) = compared_records(sold, differing).opened
    found = stories.story(records)
    assert [one.serials for one in found.records] == ["THA01-9"]
    with pytest.raises(UnknownCaseError):
        stories.story("2020-01-01/1")


def test_the_newest_events_are_shown_and_all_of_them_when_asked(
    sold: World, four: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is found again for a year has a page that stays short."""
    monkeypatch.setattr("hub.services.console.cases.case_story.EVENTS_SHOWN", 1)
    stories = CaseStories(ground_over(sold.database))
    story = stories.story(four[0])
    assert [one.kind for one in story.events] == ["assign"]
    assert story.event_count == 2
    story = stories.story(four[0], all_events=True)
    assert [one.kind for one in story.events] == ["assign", "opened"]


def test_other_cases_over_the_same_serials_are_named(sold: World) -> None:
    """Units that one registry misses and the other has too many."""
    (missing,) = compared(sold, finding(11, 20)).opened
    (extra,) = compared(sold, finding(15, 16, ledger=(), registry=(HELD,)), registry="GHA01").opened
    stories = CaseStories(ground_over(sold.database))
    assert [(one.case_id, one.registry) for one in stories.story(missing).others] == [
        (extra, "GHA01")
    ]
    assert [one.case_id for one in stories.story(extra).others] == [missing]


# --- entries -------------------------------------------------------------------------------------


def units(first: int, last: int) -> str:
    """Return a range of the samples' series."""
    return f"CA0001-THA01-THA-{first}-2022..CA0001-THA01-THA-{last}-2022"


def test_an_entry_is_offered_with_the_two_registries_it_is_about(sold: World) -> None:
    """Where the other one has a case too; for what is too many, from whom the ledger has it."""
    (missing,) = compared(sold, finding(11, 20)).opened
    entries = CaseEntries(ground_over(sold.database))
    form = entries.form(missing)
    assert form is not None
    assert (form.ranges, form.from_registry, form.to_registry) == (
        (units(11, 20),),
        "CHE01",
        None,
    )
    assert "GHA01" in dict(form.registries)
    assert "XHB01" not in dict(form.registries)
    (extra,) = compared(sold, finding(11, 20, ledger=(), registry=(HELD,)), registry="GHA01").opened
    form, other = entries.form(missing), entries.form(extra)
    assert form is not None
    assert other is not None
    assert (form.from_registry, form.to_registry) == ("CHE01", "GHA01")
    assert (other.from_registry, other.to_registry) == ("CHE01", "GHA01")
    (used,) = compared(sold, finding(11, 20), finding(50, 50, registry=(USED,))).opened
    assert entries.form(used) is None
    assert entries.form("2020-01-01/1") is None


def test_an_entry_is_looked_at_with_both_books(sold: World) -> None:
    """Whose the units are now, what the registry has of them, which cases it touches."""
    lost = finding(95, 110, FindingKind.MISSING_AT_REGISTRY)
    (case_id,) = compared(sold, lost).opened
    (extra,) = compared(sold, finding(97, 98, ledger=(), registry=(HELD,)), registry="GHA01").opened
    entries = CaseEntries(ground_over(sold.database))
    deed = correct_ledger(units(97, 105), "CHE01", "GHA01", None, case_id)
    preview = entries.preview(deed)
    assert [(one.units, one.registry, one.status) for one in preview.parts] == [
        (units(97, 99), "CHE01", "itmo"),
        (units(100, 105), None, None),
    ]
    assert (preview.quantity, preview.book, preview.is_cut) == (9, 0, False)
    assert [one.case_id for one in preview.others] == [extra]
    outside = correct_ledger(units(1, 2), "CHE01", "GHA01", None, case_id)
    assert entries.preview(outside).book is None
    unknown = correct_ledger(units(1, 2), "CHE01", "GHA01", None, "2020-01-01/1")
    with pytest.raises(UnknownCaseError):
        entries.preview(unknown)


# --- searches ------------------------------------------------------------------------------------


def test_people_keep_searches_of_their_own(sold: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved, replaced, renamed, shown at first, deleted; nobody else's are touched."""
    ada, bert = (add_person(sold.database, name, "officer") for name in ("ada", "bert"))
    desk = FilterDesk(ground_over(sold.database))
    first = desk.save(ada, "cases", " Swiss <b>cases</b> ", "state=active&registry=CHE01")
    second = desk.save(ada, "cases", "Mine", "state=active&assignee=%7Eme")
    assert [one.name for one in desk.of(ada, "cases")] == ["Mine", "Swiss <b>cases</b>"]
    assert desk.of(bert, "cases") == desk.of(ada, "transfers") == ()
    again = desk.save(ada, "cases", "Mine", "state=all")
    assert (again.filter_id, again.query) == (second.filter_id, "state=all")
    desk.show_at_first(ada, first.filter_id, is_default=True)
    desk.show_at_first(ada, second.filter_id, is_default=True)
    assert [one.is_default for one in desk.of(ada, "cases")] == [True, False]
    desk.show_at_first(ada, second.filter_id, is_default=False)
    assert not any(one.is_default for one in desk.of(ada, "cases"))
    with pytest.raises(FilterError, match="another search under this name"):
        desk.rename(ada, second.filter_id, first.name)
    assert desk.rename(ada, second.filter_id, "All").name == "All"
    refused = pytest.raises(FilterError, match="you keep no such search")
    with refused:
        desk.rename(bert, first.filter_id, "x")
    with refused:
        desk.forget(bert, first.filter_id)
    with refused:
        desk.show_at_first(bert, first.filter_id, is_default=True)
    desk.forget(ada, first.filter_id)
    assert [one.name for one in desk.of(ada, "cases")] == ["All"]
    for page, name, query in (
        ("people", "x", ""),
        ("cases", "", ""),
        ("cases", "x" * 61, ""),
        ("cases", "two\nlines", ""),
        ("cases", "x", "a" * 2_000),
        ("cases", "x", "a\nb"),
    ):
        with pytest.raises(FilterError):
            desk.save(ada, page, name, query)
    monkeypatch.setattr(filter_desk, "KEPT_MAX", 1)
    with pytest.raises(FilterError, match="delete one first"):
        desk.save(ada, "cases", "one more", "")
