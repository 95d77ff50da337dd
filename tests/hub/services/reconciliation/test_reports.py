"""The report of a night: what the tables say, on a page, as rows and as JSON; nothing of a peer."""

import csv
import json
import re
import subprocess
import threading
from dataclasses import fields, replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services.reconciliation.reports import report_html, report_tables, reports
from hub.services.reconciliation.reports.night_report import CaseLine, NightReport, SessionLine
from hub.services.reconciliation.reports.report_markup import tag, text
from hub.services.spreadsheet_cells import cell
from hub.store.database import Database
from hub.store.reconciliation import nights
from tests.hub.services.reconciliation.night_rows import (
    BEGIN,
    END,
    EVIL,
    FAULTY,
    NIGHT,
    SOUND,
    plant_night,
)
from tests.tools import CHROMIUM, needs_chromium


@pytest.fixture
def planted(either: Database) -> Database:
    """Return a database with a night in it."""
    with either.writing() as connection:
        plant_night(connection)
    return either


def built(database: Database, night: str | None = NIGHT) -> NightReport:
    """Return the report of a night."""
    with database.reading() as connection:
        return reports.build(connection, night, END)


def test_a_report_says_what_the_tables_say(planted: Database) -> None:
    """Sessions, cases by what the night did with them, frozen units, sizes, the missed night."""
    report = built(planted)
    assert (report.hub, report.night, report.state) == ("XHB01", NIGHT, "finished")
    assert report.results == {"agreed": 1, "differs": 1, "silent": 1}
    assert [line.case_id for line in report.happened("opened")] == ["2026-11-22/1", "2026-11-22/2"]
    assert [line.case_id for line in report.happened("reopened")] == ["2026-11-10/1"]
    assert [line.case_id for line in report.happened("closed")] == ["2026-11-12/1"]
    assert len(report.cases) == 4, "the case closed weeks ago is no part of it"
    assert report.units_frozen == 1_520
    assert (report.question_count, report.characters) == (7, 1_000)
    assert report.missed_nights == ("2026-11-21",)
    assert report.own_books == SOUND
    assert report.seconds == 180
    assert not report.is_good
    (late,) = [line for line in report.open_cases if line.is_overdue]
    assert (late.case_id, late.age_days) == ("2026-11-10/1", 12)
    assert [(group.count, group.overdue_count) for group in report.ages] == [
        (2, 0),
        (0, 0),
        (1, 1),
        (0, 0),
        (0, 0),
    ]


def test_the_last_nights_are_told_for_each_registry(planted: Database) -> None:
    """A missed night is missed for all; tonight is the worst of the sessions of a registry."""
    report = built(planted)
    assert report.history_nights == ("2026-11-21", NIGHT)
    assert {line.registry: line.results for line in report.history} == {
        "CHE01": ("missed", "differs"),
        "GHA01": ("missed", "silent"),
        "THA01": ("missed", "agreed"),
    }


def test_the_newest_night_is_reported_if_none_is_named(planted: Database) -> None:
    """One that was missed is no report; an unknown one is refused with the command that helps."""
    assert built(planted, None).night == NIGHT
    with pytest.raises(reports.NoNightError, match="itmo-hub reconcile nights"):
        built(planted, "2026-01-01")


def test_before_the_first_night_there_is_no_report(either: Database) -> None:
    """That is said, and not an empty page."""
    with pytest.raises(reports.NoNightError, match="no night has run yet"):
        built(either, None)


def test_a_running_night_names_who_is_still_to_come(either: Database) -> None:
    """Its sessions are there; it has no duration yet, and the page says that it runs."""
    with either.writing() as connection:
        row = nights.NightRow(NIGHT, nights.RUNNING, BEGIN, BEGIN)
        nights.add(connection, [row])
    report = built(either)
    assert report.seconds is None
    page = report_html.page(report).decode()
    assert "still running" in page
    assert "They were not checked" in page


class Page(HTMLParser):
    """Reads a page: the names of its elements, what they refer to, and whether all are closed."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that begins."""
        self.names.append(tag)
        self.attributes.extend(attrs)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.names.append(tag)
        self.attributes.extend(attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that began last; another one is an error of the page."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather the text."""
        self.text += data


def assert_harmless(page: Page) -> None:
    """Nothing runs and nothing is fetched: no script, no handler, no address."""
    assert page.open == []
    assert not {"script", "img", "iframe", "link", "object", "a", "form"} & set(page.names)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [name for name, _ in page.attributes if name in {"src", "href", "style"}]
    assert ("http-equiv", "Content-Security-Policy") in page.attributes
    assert "://" not in page.text


def test_a_page_shows_all_and_fetches_nothing(planted: Database) -> None:
    """What a peer said is text; the verdict, the cases, both plots and the registries are there."""
    page = Page(report_html.page(built(planted)))
    assert_harmless(page)
    assert page.names.count("svg") == 2
    assert page.names.count("table") == 2
    assert page.names.count("caption") == 2
    scopes = [value for name, value in page.attributes if name == "scope"]
    assert {"col", "row"} == set(scopes)
    for said in (
        "2 registries compared: 1 agree, 1 do not.",
        "Not answered: GHA01.",
        "2 cases opened, 1 case reopened, 1 case closed.",
        "3 cases are open, 1,520 units are frozen.",
        "Missed before: 2026-11-21.",
        "itmo-hub reconcile explain 2026-11-22/1",
        "All is sound.",
        '<script>alert("x")</script>\ufffd\ufffd=cmd',
    ):
        assert said in page.text, said


def test_a_fault_of_the_own_books_stands_in_red_before_the_rest(either: Database) -> None:
    """With its words, the remedy, and an alert for those who hear the page."""
    with either.writing() as connection:
        plant_night(connection, FAULTY)
    page = report_html.page(built(either)).decode()
    assert 'role="alert"' in page
    assert page.index("4 sums differ") < page.index("To do")
    assert "The hub&#x27;s own books have 1 fault." in page
    assert "itmo-hub db check" in page


LINES: dict[type, dict[str, Any]] = {
    SessionLine: {"result": st.sampled_from(["agreed", "differs", "silent", "refused"])},
    CaseLine: {
        "tonight": st.sampled_from(["", "opened", "continued", "reopened", "closed"]),
        "due_on": st.none() | st.just("2026-11-20"),
        "opened_on": st.just("2026-11-20"),
    },
}


@given(
    session=st.builds(SessionLine, **LINES[SessionLine]),
    case=st.builds(CaseLine, **LINES[CaseLine]),
    evil=st.text(),
)
def test_no_text_of_anybody_becomes_markup(session: Any, case: Any, evil: str) -> None:
    """Whatever stands in any field of a line, the page has the same elements."""
    report = NightReport("XHB01", NIGHT, "finished", BEGIN, BEGIN, END, END)

    def shape(*lines: Any) -> list[str]:
        page = Page(report_html.page(replace(report, sessions=lines[:1], cases=lines[1:])))
        assert_harmless_shape(page)
        return page.names

    def filled(line: Any, value: str) -> Any:
        texts = [
            one.name
            for one in fields(line)
            if isinstance(getattr(line, one.name), str)
            and one.name not in {"result", "tonight", "due_on", "opened_on", "kind"}
        ]
        return replace(line, **dict.fromkeys(texts, value or "-"))

    plain = shape(filled(session, "x"), filled(case, "x"))
    assert shape(filled(session, evil), filled(case, evil)) == plain


def assert_harmless_shape(page: Page) -> None:
    """Nothing runs, whatever the texts are."""
    assert page.open == []
    assert "script" not in page.names
    assert not [name for name, _ in page.attributes if name.startswith("on")]


@given(st.text())
def test_a_text_is_shown_as_it_is_or_marked(said: str) -> None:
    """Escaped it holds no markup; only what cannot be seen is replaced."""
    shown = text(said)
    assert not re.search(r"[<>\"']", shown)
    assert Page(tag("p", said).encode("utf-8", "replace")).names == ["p"]


def test_the_csv_is_flat_and_no_cell_is_a_formula(planted: Database) -> None:
    """One header, one row for each thing; what begins like a formula is quoted."""
    report = built(planted)
    worse = replace(
        report, sessions=(replace(report.sessions[0], reason="=HYPERLINK(1)", name="@x"),)
    )
    rows = list(csv.DictReader(StringIO(report_tables.csv(worse).decode(), newline="")))
    kinds = [row["record"] for row in rows]
    assert kinds == ["night", "missed_night", "session", *["case"] * 4, "own_books"]
    assert {row["night"] for row in rows} == {NIGHT}
    assert rows[2]["text"] == "'=HYPERLINK(1)"
    assert rows[2]["name"] == "'@x"
    assert (rows[2]["questions"], rows[2]["characters"]) == ("5", "1000")
    by_id = {row["case_id"]: row for row in rows if row["case_id"]}
    assert by_id["2026-11-10/1"]["overdue"] == "yes"
    assert by_id["2026-11-22/1"]["frozen_units"] == "1500"


@given(st.text())
def test_any_cell_is_read_back_and_begins_like_no_formula(said: str) -> None:
    """Behind the apostrophe the text is whole."""
    shown = cell(said)
    assert shown.removeprefix("'") == said.removeprefix("'") or shown == said
    assert not shown.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_the_json_has_everything(planted: Database) -> None:
    """The values of the report and the sums of its page, instants as the protocol writes them."""
    document = json.loads(report_tables.json(built(planted)))
    assert document["format"] == "itmo-reconciliation-night/1"
    assert document["started_at"] == "2026-11-22T01:30:00.000Z"
    assert document["totals"]["cases"] == {
        "opened": 2,
        "continued": 0,
        "reopened": 1,
        "closed": 1,
        "open": 3,
        "overdue": 1,
    }
    assert document["totals"]["units_frozen"] == 1_520
    assert document["sessions"][1]["reason"] == EVIL
    assert document["good"] is False


def test_a_night_is_written_whole_or_not_at_all(planted: Database, tmp_path: Path) -> None:
    """Who reads while it is written anew finds a whole file each time; nothing is left over."""
    folder = tmp_path / "reports"
    paths = reports.write_night(planted, NIGHT, folder, END)
    assert [path.name for path in paths] == [
        f"reconciliation-{NIGHT}.{form}" for form in ("html", "csv", "json")
    ]
    whole = {path: path.read_bytes() for path in paths}
    seen: set[bytes] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(paths[0].read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        reports.write_night(planted, NIGHT, folder, END)
    stop.set()
    reader.join()
    assert seen == {whole[paths[0]]}
    assert sorted(folder.iterdir()) == sorted(paths)


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    planted: Database, tmp_path: Path
) -> None:
    """A directory in the place of the file is an error, and nothing half done is left."""
    folder = tmp_path / "reports"
    target = folder / f"reconciliation-{NIGHT}.html"
    target.mkdir(parents=True)
    with pytest.raises(OSError, match=re.escape(target.name)):
        reports.write_night(planted, NIGHT, folder, END)
    assert list(folder.iterdir()) == [target]


@pytest.mark.browser
@needs_chromium
@pytest.mark.slow
def test_a_browser_shows_and_prints_the_page(planted: Database, tmp_path: Path) -> None:
    """Chromium reads the page without a complaint, runs nothing of it, and prints it as PDF."""
    assert CHROMIUM is not None
    (path, *_) = reports.write_night(planted, NIGHT, tmp_path, END)
    command = [
        *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
        *(f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr"),
    ]
    pdf = tmp_path / "page.pdf"
    run = subprocess.run(
        [*command, f"--print-to-pdf={pdf}", path.as_uri()],
        capture_output=True,
        timeout=100,
        check=True,
    )
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"CONSOLE" not in run.stderr, run.stderr
    dumped = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, timeout=100, check=True
    )
    assert b"1,520 units are frozen" in dumped.stdout
