"""What administrators do with cases, the compensating entry, and what registries say of them."""

from collections.abc import Callable

import pytest

from hub.services.administration.corrections import correct_ledger
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.statements import Says
from hub.services.reconciliation.cases import case_acts
from hub.store import head as heads
from hub.store.reconciliation import cases, nights
from hub.store.reconciliation.cases import EventRow
from tests.hub.services.administration.hands import act_by, appoint, approve, propose, signed
from tests.hub.services.administration.test_authority import document_at
from tests.hub.services.administration.test_recorded_acts import read
from tests.hub.services.reconciliation.case_worlds import (
    HELD,
    case_of,
    compared,
    events_of,
    finding,
    frozen_serials,
)
from tests.hub.world import World, accepted, act
from tests.integration.peers import block, now, proposal


def units(first: int, last: int) -> str:
    """Return a range of the samples' series."""
    return f"CA0001-THA01-THA-{first}-2022..CA0001-THA01-THA-{last}-2022"


@pytest.fixture
def sold(either_world: World) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 99)
    return either_world


@pytest.fixture
def case(sold: World) -> str:
    """Return a case of Switzerland about units 11 to 20."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    return case_id


def newest_event(world: World, case_id: str) -> EventRow:
    """Return the last thing done with a case."""
    with world.database.reading() as connection:
        return cases.events(connection, case_id)[-1]


def requests_of(world: World) -> list[tuple[str, str | None, str | None]]:
    """Return who asked for comparisons, with whom, for which case."""
    with world.database.reading() as connection:
        return [(one.actor, one.registry, one.case_id) for one in nights.open_requests(connection)]


def test_a_case_is_worked_on_by_acts_in_the_log(sold: World, case: str) -> None:
    """Each moves the case as the table says, leaves an event, and names who did it and why."""
    for deed, state, kind, text in (
        (case_acts.acknowledge([case]), "acknowledged", "acknowledge", "a test"),
        (case_acts.assign([case], "Ada"), "acknowledged", "assign", "to Ada"),
        (case_acts.note([case], "called Bern"), "acknowledged", "note", "called Bern"),
        (
            case_acts.set_due([case], "2026-12-24"),
            "acknowledged",
            "set_due",
            "due on 2026-12-24: a test",
        ),
        (
            case_acts.begin_correction([case], "messages", "resend asked"),
            "being_corrected",
            "begin_correction",
            "by messages: resend asked",
        ),
        (case_acts.ask_rerun([case]), "awaiting_rerun", "ask_rerun", "a test"),
    ):
        done = sold.administration.do(deed, act())
        row, event = case_of(sold, case), newest_event(sold, case)
        assert (row.state, event.kind, event.text) == (state, kind, text)
        assert (event.actor, event.log_index) == ("operator", done.log_index)
        document = document_at(sold, done.log_index)
        assert (document["kind"], document["detail"]["cases"]) == (deed.kind, [case])
    row = case_of(sold, case)
    assert (row.assignee, row.due_on) == ("Ada", "2026-12-24")
    assert requests_of(sold) == [("operator", "CHE01", case)]
    assert frozen_serials(sold) == [(11, 20)]
    sold.prove()


def test_several_cases_are_one_act_all_of_them_or_none(sold: World, case: str) -> None:
    """One that cannot is named, and nothing is done with the others."""
    done = compared(
        sold,
        finding(11, 20),
        finding(40, 41, ledger=(), registry=(HELD,)),
        finding(60, 61, ledger=(HELD,), registry=(HELD, HELD)),
    )
    ids = [case, *done.opened]
    assert len(ids) == 3
    acted = sold.administration.do(case_acts.acknowledge(ids), act())
    assert document_at(sold, acted.log_index)["subject"] == "3 cases"
    assert {case_of(sold, one).state for one in ids} == {"acknowledged"}
    compared(sold, *(finding(11, 20), finding(60, 61, ledger=(HELD,), registry=(HELD, HELD))))
    with pytest.raises(AdministrationError, match=f"case {ids[1]}.*the case is closed"):
        sold.administration.do(case_acts.ask_rerun(ids), act())
    assert {case_of(sold, one).state for one in (ids[0], ids[2])} == {"acknowledged"}
    assert requests_of(sold) == []
    sold.administration.do(case_acts.ask_rerun([ids[0], ids[2]]), act())
    assert [one[1] for one in requests_of(sold)] == ["CHE01"]


REFUSED: list[tuple[str, Callable[[str], Deed]]] = [
    ("name 1 to 500 cases, each once", lambda case: case_acts.acknowledge([case, case])),
    ("there is no case 2020-01-01/1", lambda _: case_acts.note(["2020-01-01/1"], "x")),
    ("is no case: write it", lambda _: case_acts.note(["7"], "x")),
    ("name 1 to 500 cases", lambda _: case_acts.acknowledge([])),
    ("is no day", lambda case: case_acts.set_due([case], "24.12.2026")),
    ("a text has 1 to 2000", lambda case: case_acts.note([case], " ")),
    ("a text has 1 to 2000", lambda case: case_acts.note([case], "bell \a")),
    ("an assignee is one line", lambda case: case_acts.assign([case], "two\nlines")),
    ("corrected by messages or", lambda case: case_acts.begin_correction([case], "magic", "x")),
]


@pytest.mark.parametrize(("why", "make"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_done_with_a_case_is_refused_with_the_reason(
    sold: World, case: str, why: str, make: Callable[[str], Deed]
) -> None:
    """And the case is as it was."""
    with pytest.raises(AdministrationError, match=why):
        sold.administration.do(make(case), act())
    assert events_of(sold, case) == ["opened"]


def test_what_the_table_does_not_allow_is_refused_with_what_is_possible(
    sold: World, case: str
) -> None:
    """Seen twice is once too often; a closed case takes a note and nothing else."""
    sold.administration.do(case_acts.acknowledge([case]), act())
    with pytest.raises(AdministrationError, match="possible now: begin correction"):
        sold.administration.do(case_acts.acknowledge([case]), act())
    compared(sold)
    with pytest.raises(AdministrationError, match="possible now: note"):
        sold.administration.do(case_acts.assign([case], "Ada"), act())
    sold.administration.do(case_acts.note([case], "it was the backup"), act())


def test_acts_on_cases_are_signed_once_there_are_administrators(sold: World, case: str) -> None:
    """One is enough, and the log shows who; an unsigned one is refused."""
    appoint(sold, "alice", "bob")
    with pytest.raises(AdministrationError, match="every act is signed"):
        sold.administration.do(case_acts.acknowledge([case]), act())
    deed, by_alice = case_acts.acknowledge([case]), act_by("alice")
    done = sold.administration.do(deed, by_alice, signed(sold, Says.DO, deed, by_alice))
    assert newest_event(sold, case).actor == "alice"
    assert not read(sold, done.log_index).is_wrong


# --- the compensating entry ----------------------------------------------------------------------


def test_a_compensating_entry_takes_two_administrators_and_its_case(sold: World) -> None:
    """The ledger goes where both books are; the next comparisons close the cases of both."""
    appoint(sold, "alice", "bob")
    (missing,) = compared(sold, finding(11, 20)).opened
    (extra,) = compared(sold, finding(11, 20, ledger=(), registry=(HELD,)), registry="GHA01").opened
    deed = correct_ledger(units(11, 20), "CHE01", "GHA01", None, missing)
    by_alice = act_by("alice")
    with pytest.raises(AdministrationError, match="takes two administrators"):
        sold.administration.do(deed, by_alice, signed(sold, Says.DO, deed, by_alice))
    done = approve(sold, propose(sold, deed, "alice"), "bob")
    assert (11, 20, "GHA01", "itmo") in sold.blocks()
    assert document_at(sold, done.log_index)["detail"]["case"] == missing
    for case_id in (missing, extra):
        assert case_of(sold, case_id).state == "being_corrected"
        assert f"(C:{done.log_index})" in newest_event(sold, case_id).text
    assert frozen_serials(sold) == [(11, 20), (11, 20)]
    assert compared(sold).closed == (missing,)
    assert compared(sold, registry="GHA01").closed == (extra,)
    accepted(sold.say("GHA01", "CHE01", proposal("GHA01-1", block(11, 20), action="transfer")))
    sold.prove()


def test_frozen_serials_are_corrected_for_their_case_alone(sold: World, case: str) -> None:
    """Without the case, with another one, beside its serials, after it: refused."""
    (other,) = compared(sold, finding(15, 15, ledger=(), registry=(HELD,)), registry="THA01").opened
    for range_, case_id, why in (
        (units(20, 25), None, f"frozen by the reconciliation case {case} of CHE01"),
        (units(18, 20), other, "does not hold all of"),
        (units(18, 21), case, "does not hold all of"),
        (units(14, 16), case, f"frozen by the reconciliation case {other} of THA01"),
        (units(18, 20), "2020-01-01/1", "does not hold all of"),
    ):
        deed = correct_ledger(range_, "CHE01", "GHA01", None, case_id)
        with pytest.raises(AdministrationError, match=why):
            sold.administration.do(deed, act())
    assert sold.blocks() == [(1, 99, "CHE01", "itmo")]
    sold.administration.do(correct_ledger(units(21, 25), "CHE01", "GHA01", None), act("beside"))
    sold.administration.do(correct_ledger(units(18, 20), "CHE01", "GHA01", None, case), act())
    sold.prove()


def test_units_on_hold_stay_where_they_are_even_for_a_case(sold: World, case: str) -> None:
    """A case opens its own freeze and nothing else: what is offered is still offered."""
    compared(sold)
    accepted(sold.say("CHE01", "GHA01", proposal("CHE01-1", block(11, 12), action="transfer")))
    assert compared(sold, finding(11, 20)).reopened == (case,)
    deed = correct_ledger(units(11, 20), "CHE01", "GHA01", None, case)
    with pytest.raises(AdministrationError, match="reserved"):
        sold.administration.do(deed, act())


# --- a registry explains -------------------------------------------------------------------------


def explain(world: World, case_id: str, *, corrected: bool, registry: str = "CHE01") -> None:
    """Keep an explanation as the recording of a message does."""
    with world.database.writing() as connection:
        head = heads.lock(connection)
        case_acts.keep_explanation(
            connection,
            case_id=case_id,
            registry=registry,
            text="Our import was rolled back.",
            corrected=corrected,
            log_index=head.log_index,
            at=now(),
        )


def test_an_explanation_is_kept_at_its_case(sold: World, case: str) -> None:
    """With "corrected" it asks for a comparison, and the case waits for that."""
    explain(sold, case, corrected=False)
    assert (case_of(sold, case).state, requests_of(sold)) == ("open", [])
    assert newest_event(sold, case).text == "Our import was rolled back."
    explain(sold, case, corrected=True)
    assert case_of(sold, case).state == "awaiting_rerun"
    assert requests_of(sold) == [("CHE01", "CHE01", case)]
    assert events_of(sold, case) == ["opened", "explain", "explain", "ask_rerun"]
    assert compared(sold).closed == (case,)
    explain(sold, case, corrected=True)
    assert (case_of(sold, case).state, len(requests_of(sold))) == ("closed", 1)


def test_however_often_a_registry_has_corrected_its_book_one_comparison_waits(
    sold: World, case: str
) -> None:
    """It is asked for again once the one before has begun, which may not have seen the rest."""
    for _ in range(3):
        explain(sold, case, corrected=True)
    assert len(requests_of(sold)) == 1
    with sold.database.writing() as connection:
        (asked,) = nights.open_requests(connection)
        nights.set_request(connection, asked.request_id, state=nights.RUNNING)
    for _ in range(3):
        explain(sold, case, corrected=True)
    assert len(requests_of(sold)) == 2
