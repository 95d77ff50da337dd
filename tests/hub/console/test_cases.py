"""The list of cases: narrowed, paged, kept, worked on, taken as a table; what it never shows."""

import re

import pytest

from hub.services.console.cases import case_desk
from hub.services.reconciliation.cases import case_acts
from hub.store.reconciliation import cases
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.world import act

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def case_ids(console: ConsoleWorld) -> list[str]:
    """Return the ids of all cases, oldest first."""
    with console.database.reading() as connection:
        return [row.case_id for row in cases.listed(connection, cases.Wanted())]


def listed(text: str) -> list[str]:
    """Return the ids of the cases that a page lists."""
    return re.findall(r'<th scope="row"><a href="/cases/([^"]+)"', text)


async def test_everybody_who_may_look_sees_the_open_cases(console: ConsoleWorld) -> None:
    """With their kind, registry and units; who works cases finds forms, others do not."""
    page = await console.get("/cases", as_="viewer")
    assert page.status == 200
    assert listed(page.text) == case_ids(console)
    assert "lost message" in page.text
    assert 'name="case"' not in page.text
    assert "With the chosen cases" not in page.text
    officer = await console.get("/cases", as_="officer")
    assert officer.text.count('name="case"') == len(case_ids(console))


async def test_a_list_is_narrowed_by_its_address(console: ConsoleWorld) -> None:
    """Every filter is a field of a plain form; what cannot be is refused in words."""
    lost, twice, sector = case_ids(console)
    for query, expected in (
        ("state=active&kind=held_twice", [twice]),
        ("state=all&order=-units", [lost, twice, sector]),
        ("state=active&registry=GHA01", []),
        ("state=active&named=THA01-1", [lost]),
        ("state=active&assignee=%7Enobody&older=0", [lost, twice, sector]),
        ("registry=&kind=&assignee=&older=&since=&named=&order=opened", [lost, twice, sector]),
        ("state=closed", []),
        ("overdue=1", []),
    ):
        page = await console.get(f"/cases?{query}")
        assert (page.status, listed(page.text)) == (200, expected), query
    for query in (
        "state=lost",
        "order=sideways",
        "kind=strange",
        "older=-1",
        "older=x",
        "since=yesterday",
        "registry=TOOLONG",
        "after=nowhere",
    ):
        assert (await console.get(f"/cases?{query}")).status == 400, query


async def test_a_long_list_has_pages(
    console: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link to the next page keeps the filter; the last page has none."""
    monkeypatch.setattr(case_desk, "PAGE_ROWS", 2)
    page = await console.get("/cases?state=all&order=units")
    found = listed(page.text)
    (following,) = re.findall(r'rel="next" href="([^"]+)"', page.text)
    assert "order=units" in following
    page = await console.get(following.replace("&amp;", "&"))
    found += listed(page.text)
    assert sorted(found) == case_ids(console)
    assert 'rel="next"' not in page.text


async def test_chosen_cases_are_assigned_after_a_look(console: ConsoleWorld) -> None:
    """The form leads to a page that says what will be done; nothing is done before."""
    chosen = case_ids(console)[:2]
    form = [("case", one) for one in chosen] + [("do", "assign"), ("assignee", "ada")]
    page = await console.post("/cases", form, as_="officer")
    assert page.status == 200
    assert "ada is shown as the one who works on the case." in page.text
    assert all(one in page.text for one in chosen)
    with console.database.reading() as connection:
        assert {row.assignee for row in cases.load(connection, chosen).values()} == {None}


async def test_each_bulk_form_makes_its_own_deed(console: ConsoleWorld) -> None:
    """Acknowledge, due date, note, re-run; with what is wrong said where it is."""
    (chosen, *_) = case_ids(console)
    for form, kind in (
        ({"do": "acknowledge"}, "case.acknowledge"),
        ({"do": "due", "due_on": "2199-12-31", "reason": "holidays"}, "case.due"),
        ({"do": "note", "note": "called Bern"}, "case.note"),
        ({"do": "rerun"}, "case.ask_rerun"),
        ({"do": "assign", "to_nobody": "1"}, "case.assign"),
    ):
        page = await console.post("/cases", {"case": chosen, **form})
        assert page.status == 200, page.text
        assert kind in page.text
    for form in (
        {"do": "acknowledge"},
        {"case": "seven", "do": "acknowledge"},
        {"case": chosen, "do": "due", "due_on": "24.12.2199", "reason": "x"},
        {"case": chosen, "do": "due", "due_on": "2199-12-31"},
        {"case": chosen, "do": "note"},
        {"case": chosen, "do": "assign"},
        {"case": chosen, "do": "entry"},
        {"case": chosen},
    ):
        assert (await console.post("/cases", form)).status == 400, form
    page = await console.post("/cases", {"case": chosen, "do": "rerun"}, as_="viewer")
    assert page.status == 403


async def test_a_search_is_kept_and_shown_at_first(console: ConsoleWorld) -> None:
    """Under a name that is user's text; only for whoever kept it."""
    form = {"page": "cases", "name": SCRIPT[:60], "query": "state=active&kind=held_twice"}
    page = await console.post("/filters", form, as_="viewer")
    assert page.status == 303
    assert page.headers["Location"] == "/cases?state=active&kind=held_twice"
    shown = await console.get("/cases?state=active", as_="viewer")
    assert "&lt;script&gt;" in shown.text
    assert "<script>alert" not in shown.text
    (number,) = re.findall(r'action="/filters/([0-9]+)"', shown.text)
    assert 'action="/filters/' not in (await console.get("/cases", as_="officer")).text
    change = f"/filters/{number}"
    assert (await console.post(change, {"do": "delete"}, as_="officer")).status == 400
    await console.post(change, {"do": "show_at_first"}, as_="viewer")
    first = await console.get("/cases", as_="viewer")
    assert (first.status, first.headers["Location"]) == (303, page.headers["Location"])
    await console.post(change, {"do": "rename", "name": "Twice"}, as_="viewer")
    assert ">Twice <" in (await console.get("/cases?state=all", as_="viewer")).text
    await console.post(change, {"do": "show_no_more"}, as_="viewer")
    assert (await console.get("/cases", as_="viewer")).status == 200
    await console.post(change, {"do": "delete"}, as_="viewer")
    assert "Twice" not in (await console.get("/cases", as_="viewer")).text


async def test_a_kept_search_leads_nowhere_but_to_its_list(console: ConsoleWorld) -> None:
    """Whatever was typed as its query."""
    for query in ("//evil.example", "x=1\r\nSet-Cookie: a=b", "https://evil.example/"):
        page = await console.post("/filters", {"page": "cases", "name": "x", "query": query})
        assert page.status == 400 or page.headers["Location"].startswith("/cases?"), query
    form = {"page": "https://evil.example", "name": "x", "query": ""}
    assert (await console.post("/filters", form)).status == 400


async def test_the_list_is_taken_as_a_table_without_formulas(console: ConsoleWorld) -> None:
    """In the order of the list, with its filter, as a file."""
    world, (first, *_) = console.world, case_ids(console)
    world.administration.do(case_acts.assign([first], '=1+1,"x"'), act())
    page = await console.get("/cases/export.csv?state=all&order=-units")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert page.headers["Content-Disposition"] == 'attachment; filename="cases.csv"'
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    lines = page.text.splitlines()
    assert lines[0].startswith("case,registry,kind,state,units")
    assert [line.partition(",")[0] for line in lines[1:]] == case_ids(console)
    assert '"\'=1+1,""x"""' in lines[1]
    assert (await console.get("/cases/export.csv?state=lost")).status == 400


async def test_what_people_wrote_is_text_in_the_list(console: ConsoleWorld) -> None:
    """Names of assignees, in the table, the filter and the address."""
    (first, *_) = case_ids(console)
    console.world.administration.do(case_acts.assign([first], SCRIPT), act())
    for path in ("/cases", "/cases?state=active&assignee=%22%3E%3Cscript%3Ealert(1)"):
        page = await console.get(path, as_="officer")
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "&#34;&gt;&lt;script&gt;alert(1)" in page.text
