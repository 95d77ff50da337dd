"""The page of one case: both books, what can be done, and whose text it never runs."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from hub.services.reconciliation.cases import case_acts
from hub.services.reconciliation.cases.case_acts import keep_explanation
from hub.store.reconciliation import cases
from hub.store.reconciliation.cases import CaseRow
from hub.store.tables import participant
from message_schemas.messages.reconciliation import RecordedTransfer, RecordFinding
from reconciliation.case_states import CaseState
from reconciliation.discrepancies import FindingKind
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.services.reconciliation.case_worlds import (
    HELD,
    compared,
    compared_records,
    finding,
    unanswered,
)
from tests.hub.world import act
from tests.integration.peers import now

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
UNITS = "CA0001-THA01-THA-11-2022..CA0001-THA01-THA-20-2022"
FORMS = {
    "acknowledge",
    "assign",
    "note",
    "due",
    "begin_correction",
    "ask_registry",
    "entry",
    "rerun",
}


def case_of(console: ConsoleWorld, kind: str) -> CaseRow:
    """Return the case of a kind."""
    with console.database.reading() as connection:
        (row,) = cases.listed(connection, cases.Wanted(kind=kind))
    return row


def forms(text: str) -> set[str]:
    """Return what the forms of a page do."""
    return set(re.findall(r'name="do" value="([a-z_]+)"', text))


def assert_harmless(text: str) -> None:
    """What came from others stands there as text, and nowhere as markup."""
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "<img" not in text


async def test_a_case_tells_both_books_and_the_cause(console: ConsoleWorld) -> None:
    """The line, the same as a table, the attributes, the message with its transfer and evidence."""
    case_id = case_of(console, "lost_message").case_id
    page = await console.get(f"/cases/{case_id}", as_="officer")
    assert page.status == 200
    text = html.unescape(page.text)
    assert 'data-first="11" data-last="20" data-standing="differs"' in text
    assert text.count('data-standing="differs"') == 1
    assert "agreed at the last comparison" in text
    assert 'href="/transfers/THA01-1"' in text
    assert 'href="/transfers/THA01-1/evidence"' in text
    assert re.search(r'href="/log/entries/\d+"', text)
    assert "nobody can close it by hand" in text
    assert f"itmo-hub reconcile case acknowledge {case_id} --reason TEXT" in text
    sector = await console.get(f"/cases/{case_of(console, 'attribute_differs').case_id}")
    assert re.search(r"<th scope=\"row\">sector</th>.*Transportation.*Waste.*differs", sector.text)


async def test_the_picture_of_one_range_is_told_as_one_in_french_too(console: ConsoleWorld) -> None:
    """The count of the ranges chooses the words, not the name of the series."""
    path = f"/cases/{case_of(console, 'lost_message').case_id}"
    assert "one range differs, at 11 to 20" in (await console.get(path)).text
    page = await console.get(path, **{"Accept-Language": "fr"})
    assert page.status == 200
    assert "une plage diffère" in page.text


async def test_who_only_looks_finds_no_forms_and_no_evidence(console: ConsoleWorld) -> None:
    """A viewer sees the same case; an auditor may take the evidence."""
    path = f"/cases/{case_of(console, 'lost_message').case_id}"
    viewer = await console.get(path, as_="viewer")
    assert forms(viewer.text) == set()
    assert "/evidence" not in viewer.text
    auditor = await console.get(path, as_="auditor")
    assert forms(auditor.text) == set()
    assert "/transfers/THA01-1/evidence" in auditor.text
    assert (await console.post(path, {"do": "acknowledge"}, as_="auditor")).status == 403


async def test_only_what_the_case_allows_is_offered(console: ConsoleWorld) -> None:
    """By its state, and an entry only where one can put it right."""
    lost = case_of(console, "lost_message").case_id
    world = console.world
    assert forms((await console.get(f"/cases/{lost}", as_="officer")).text) == FORMS
    world.administration.do(case_acts.acknowledge([lost]), act())
    shown = forms((await console.get(f"/cases/{lost}", as_="officer")).text)
    assert shown == FORMS - {"acknowledge"}
    twice = case_of(console, "held_twice").case_id
    shown = forms((await console.get(f"/cases/{twice}", as_="officer")).text)
    assert shown == FORMS - {"entry"}
    compared(world)
    page = await console.get(f"/cases/{lost}", as_="officer")
    assert forms(page.text) == {"note"}
    assert "The case is closed" in page.text


async def test_a_form_does_nothing_before_it_is_confirmed(console: ConsoleWorld) -> None:
    """What will be done is shown with the effects; the confirmation does it and leads back."""
    case_id = case_of(console, "held_twice").case_id
    path = f"/cases/{case_id}"
    page = await console.post(path, {"do": "acknowledge", "reason": "I saw it"})
    assert page.status == 200
    assert "The serials stay frozen" in page.text
    assert case_of(console, "held_twice").state == CaseState.OPEN
    fields = {
        html.unescape(name): html.unescape(value)
        for name, value in re.findall(
            r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text
        )
        if name != "csrf"
    }
    done = await console.post("/acts", fields)
    assert (done.status, done.headers["Location"]) == (303, path)
    assert case_of(console, "held_twice").state == CaseState.ACKNOWLEDGED
    shown = await console.get(path)
    assert "I saw it" in shown.text


@pytest.mark.parametrize(
    ("form", "kind", "said"),
    [
        ({"do": "assign", "assignee": "ada"}, "case.assign", "ada is shown"),
        ({"do": "note", "note": "called Bern"}, "case.note", "for good"),
        ({"do": "due", "due_on": "2199-01-01", "reason": "x"}, "case.due", "overdue from the day"),
        (
            {"do": "begin_correction", "how": "messages", "correction": "they resend"},
            "case.begin_correction",
            "Nothing is corrected by this",
        ),
        ({"do": "ask_registry", "question": "Was it restored?"}, "case.ask_rerun", "No message of"),
        ({"do": "rerun"}, "case.ask_rerun", "reconciliation.cut"),
    ],
    ids=["assign", "note", "due", "begin", "ask", "rerun"],
)
async def test_each_form_says_what_follows(
    console: ConsoleWorld, form: dict[str, str], kind: str, said: str
) -> None:
    """For the case, for the registry, and what does not happen."""
    path = f"/cases/{case_of(console, 'lost_message').case_id}"
    page = await console.post(path, form)
    assert page.status == 200, page.text
    assert kind in page.text
    assert said in html.unescape(page.text)


async def test_an_entry_is_shown_with_its_effect_on_both_books(console: ConsoleWorld) -> None:
    """Whose the units are, whose they would be, what the registries' books have and must do."""
    path = f"/cases/{case_of(console, 'lost_message').case_id}"
    entry = {
        "do": "entry",
        "units": UNITS,
        "from_registry": "CHE01",
        "to_registry": "GHA01",
        "reason": "sold twice",
    }
    page = await console.post(path, entry)
    assert page.status == 200, page.text
    text = html.unescape(page.text)
    assert "ledger.correct" in text
    assert f"The ledger now: {UNITS} at CHE01, ITMO." in text
    assert f"The ledger afterwards: {UNITS}, 10 units, all at GHA01." in text
    assert "The book of CHE01 has nothing of these units by the last finding" in text
    for wrong in (
        {"units": "nonsense"},
        {"to_registry": "CHE01"},
        {"to_registry": ""},
        {"reason": ""},
        {"units": "x" * 500},
    ):
        assert (await console.post(path, {**entry, **wrong})).status == 400, wrong


async def test_cases_of_every_kind_have_a_page(console: ConsoleWorld) -> None:
    """With serials of either side, of records, of no answer; to scale and without a script."""
    world = console.world
    record = RecordFinding(
        transfer_id="THA01-9",
        registry=RecordedTransfer(transfer_id="THA01-9", state="completed", quantity=5),
    )
    found = [
        *compared(
            world, finding(300, 10**15, ledger=(), registry=(HELD,)), registry="GHA01"
        ).opened,
        *compared_records(world, record).opened,
        *unanswered(world).opened,
        *compared(world, finding(3, 3, FindingKind.ENDED_ON_ONE_SIDE), registry="THA01").opened,
    ]
    assert len(found) == 4
    for case_id in found:
        page = await console.get(f"/cases/{case_id}", as_="officer")
        assert page.status == 200, page.text


async def test_a_case_that_is_not_there_is_not_found(console: ConsoleWorld) -> None:
    """Neither is what is no case at all."""
    for path in ("2020-01-01/1", "2020-01-01/0", "x/1", "2020-01-01/1/2", "2020-01-01/9999999999"):
        assert (await console.get(f"/cases/{path}")).status == 404, path
    case_id = case_of(console, "lost_message").case_id
    for query in ("series=0", "series=x", "from=0", f"from={'9' * 30}"):
        assert (await console.get(f"/cases/{case_id}?{query}")).status == 400, query
    for query in ("series=400", "series=1&from=99999999", "all_events=1"):
        assert (await console.get(f"/cases/{case_id}?{query}")).status == 200, query


async def test_what_registries_and_people_wrote_is_text(console: ConsoleWorld) -> None:
    """Explanations, notes, summaries, assignees, values of findings, names of registries."""
    world, row = console.world, case_of(console, "lost_message")
    case_id = row.case_id
    evil: Any = tuple(SCRIPT if at == 6 else value for at, value in enumerate(HELD))
    compared(
        world,
        finding(11, 20, registry=(evil,)),
        finding(31, 35, FindingKind.HELD_TWICE),
    )
    world.administration.do(case_acts.note([case_id], SCRIPT), act())
    world.administration.do(case_acts.assign([case_id], SCRIPT), act())
    with world.database.writing() as connection:
        keep_explanation(
            connection,
            case_id=case_id,
            registry="CHE01",
            text=SCRIPT,
            corrected=False,
            log_index=1,
            at=now(),
        )
        after = cases.load(connection, [case_id])[case_id]
        cases.write(connection, [replace(after, summary=SCRIPT)])
        connection.execute(update(participant).values(name=SCRIPT))
    for as_ in ("viewer", "officer"):
        page = await console.get(f"/cases/{case_id}", as_=as_)
        assert page.status == 200
        assert_harmless(page.text)
        assert page.text.count("alert(1)") >= 5
        assert_harmless((await console.get("/cases", as_=as_)).text)
    page = await console.post(f"/cases/{case_id}", {"do": "note", "note": SCRIPT, "reason": SCRIPT})
    assert_harmless(page.text)
    (script,) = re.findall(
        r'<script type="application/json" id="serial-data-1">(.*?)</script>',
        (await console.get(f"/cases/{case_id}")).text,
    )
    assert "<" not in script
