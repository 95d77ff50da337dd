"""The home page and the nights behind it: what they say, and to whom they lead."""

import json
import re

import pytest
from sqlalchemy import update

from hub.store.database import Database
from hub.store.reconciliation import nights
from hub.store.tables import participant
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.services.reconciliation.night_rows import EVIL, NIGHT, plant_night

SESSION = "CHE01-41"


@pytest.fixture
def planted(seeded: Database) -> Database:
    """Write a night of 2026-11-22 into the small day."""
    with seeded.writing() as connection:
        plant_night(connection)
    return seeded


def data_of(text: str, name: str) -> object:
    """Return a block of data of a page."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


async def test_one_glance_says_whether_to_worry(console: ConsoleWorld) -> None:
    """One of the registries of the small day differs: the verdict says so in words."""
    page = await console.get("/", as_="viewer")
    assert page.status == 200
    assert 'class="verdict verdict-act"' in page.text
    assert "1 registry differs from the ledger." in page.text
    assert "16 units frozen" in page.text
    assert "3 open cases" in page.text


@pytest.mark.usefixtures("planted")
async def test_each_cell_of_the_heat_map_leads_to_its_session(console: ConsoleWorld) -> None:
    """A table with a text in each cell; the last night and the missed one before."""
    page = await console.get("/")
    assert f'href="/nights/sessions/{SESSION}"' in page.text
    assert f'<a href="/nights/{NIGHT}"' in page.text
    assert page.text.count(">missed</span>") >= 3
    assert '<a class="is-silent" href="/nights/sessions/GHA01-42">silent</a>' in page.text


@pytest.mark.usefixtures("planted")
async def test_numbers_of_cases_lead_to_those_cases(console: ConsoleWorld) -> None:
    """By kind and age, and what the chart says is what the table says."""
    page = await console.get("/")
    assert 'href="/cases?kind=missing_at_registry' in page.text
    chart = data_of(page.text, "ages-data")
    assert isinstance(chart, dict)
    total = sum(sum(one["values"]) for one in chart["series"])
    assert f'<a href="/cases">{total}</a>' in page.text
    cases = await console.get("/cases?kind=missing_at_registry&older=2&since=2026-11-01")
    assert cases.status == 200, "the list takes the address"


async def test_markup_in_a_name_stays_a_text(planted: Database, console: ConsoleWorld) -> None:
    """Names and reasons of peers are shown as they are, and run nothing."""
    with planted.writing() as connection:
        connection.execute(update(participant).values(name=EVIL))
    paths = (
        *("/", "/nights", f"/nights/{NIGHT}", f"/nights/{NIGHT}/report.html"),
        *("/nights/sessions/GHA01-42", f"/nights/sessions/{SESSION}"),
    )
    for path in paths:
        page = await console.get(path, as_="officer")
        assert page.status == 200, path
        assert "<script>alert" not in page.text, path


@pytest.mark.usefixtures("planted")
async def test_a_night_is_told_with_its_report(console: ConsoleWorld) -> None:
    """All sessions with what they came to; the report as a page to print, and as files."""
    page = await console.get(f"/nights/{NIGHT}")
    assert page.status == 200
    for session in (SESSION, "GHA01-42", "THA01-43"):
        assert session in page.text
    report = await console.get(f"/nights/{NIGHT}/report.html")
    assert report.status == 200
    assert "sandbox" in report.headers["Content-Security-Policy"]
    table = await console.get(f"/nights/{NIGHT}/report.csv")
    assert table.headers["Content-Disposition"].endswith(f'"reconciliation-{NIGHT}.csv"')
    assert json.loads((await console.get(f"/nights/{NIGHT}/report.json")).text)["night"] == NIGHT


@pytest.mark.parametrize(
    "path",
    [
        "/nights/2026-11-20",
        "/nights/yesterday",
        "/nights/2026-11-20/report.html",
        "/nights/2026-11-22/report.exe",
        "/nights/sessions/CHE01-999999",
    ],
)
@pytest.mark.usefixtures("planted")
async def test_what_there_never_was_is_not_found(console: ConsoleWorld, path: str) -> None:
    """A page that says so, and no defect."""
    assert (await console.get(path)).status == 404


@pytest.mark.usefixtures("planted")
async def test_a_session_shows_what_was_said_to_those_who_may_read_it(
    console: ConsoleWorld,
) -> None:
    """Everybody sees that there was an answer; its words need the right to read messages."""
    asked = "x" * 300
    viewer = await console.get(f"/nights/sessions/{SESSION}", as_="viewer")
    assert "reconciliation.cut_ack" in viewer.text
    assert asked not in viewer.text
    officer = await console.get(f"/nights/sessions/{SESSION}", as_="officer")
    assert asked in officer.text


async def test_an_officer_asks_for_a_comparison_once(console: ConsoleWorld) -> None:
    """The request waits for the leading hub; the same again is not asked twice."""
    first = await console.post("/nights/compare", {"registry": "CHE01"}, as_="officer")
    assert (first.status, first.headers["Location"]) == (303, "/")
    second = await console.post("/nights/compare", {"registry": "CHE01"}, as_="officer")
    assert (second.status, second.headers["Location"]) == (303, "/nights")
    with console.database.reading() as connection:
        (row,) = nights.open_requests(connection)
    assert (row.registry, row.actor, row.state) == ("CHE01", "officer", nights.WAITING)
    assert "CHE01 is compared again, asked for by officer" in (await console.get("/")).text


@pytest.mark.parametrize("registry", ["XHB01", "ZZZ99", "<b>"])
async def test_nobody_else_is_compared(console: ConsoleWorld, registry: str) -> None:
    """A code that is no Party registry's is refused with words, and nothing is asked."""
    page = await console.post("/nights/compare", {"registry": registry}, as_="officer")
    assert page.status == 303
    with console.database.reading() as connection:
        assert nights.open_requests(connection) == []


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor"])
async def test_who_works_no_cases_compares_nobody(console: ConsoleWorld, role: str) -> None:
    """Neither the form nor the address."""
    page = await console.post("/nights/compare", {"registry": "CHE01"}, as_=role)
    assert page.status == 403
    assert 'action="/nights/compare"' not in (await console.get("/nights", as_=role)).text


@pytest.mark.parametrize("count", ["0", "61", "x"])
async def test_a_number_of_nights_that_is_none_is_refused(
    console: ConsoleWorld, count: str
) -> None:
    """With the rule, on a page."""
    page = await console.get(f"/?nights={count}")
    assert page.status == 400
