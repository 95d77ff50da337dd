"""What a case says to a person: serials, both views, the message behind it, and what to do."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hub.services.administration.corrections import correct_ledger
from hub.services.reconciliation.cases import case_acts
from hub.services.reconciliation.cases.explaining import Explanation, UnknownCaseError, explain
from hub.services.reconciliation.cases.explanation_text import DIFFERENCES_SHOWN, WIDTH, text_of
from hub.store import head as heads
from message_schemas.messages.reconciliation import RecordedTransfer, RecordFinding
from reconciliation.discrepancies import PASSING, FindingKind
from tests.hub.services.reconciliation.case_worlds import (
    HELD,
    SERIES,
    USED,
    compared,
    compared_records,
    finding,
    unanswered,
)
from tests.hub.services.test_deliver import acknowledgement
from tests.hub.world import HUB, World, accepted, act
from tests.integration.peers import now


@pytest.fixture
def sold(either_world: World) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 99)
    return either_world


def explained(world: World, case_id: str) -> Explanation:
    """Return the explanation of a case."""
    with world.database.reading() as connection:
        return explain(connection, case_id)


def test_a_lost_message_is_named_with_when_it_was_acknowledged(sold: World) -> None:
    """Type, log index, the three times, and the command that exports the evidence."""
    with sold.database.reading() as connection:
        index = heads.read(connection).log_index
    lost = finding(1, 99, FindingKind.LOST_MESSAGE, cause_index=index, reference="THA01-1")
    (case_id,) = compared(sold, lost).opened
    cause = explained(sold, case_id).cause
    assert cause is not None
    assert (cause.delivered_at, cause.acknowledged_at) == (None, None)
    assert "not yet, to CHE01" in text_of(explained(sold, case_id))
    (made,) = sold.maker.prepare(sold.database, ["CHE01"], now())
    accepted(sold.say("CHE01", HUB, acknowledgement(made)))
    found = explained(sold, case_id)
    cause = found.cause
    assert cause is not None
    assert (cause.log_index, cause.types) == (index, ("transfer.acknowledgement",))
    assert cause.delivered_at is not None
    assert cause.acknowledged_at is not None
    assert cause.recorded_at <= cause.delivered_at <= cause.acknowledged_at
    assert dict(found.commands)["evidence"].startswith("itmo-hub evidence export THA01-1 --out")


def test_an_act_behind_a_case_is_named_by_its_kind(sold: World) -> None:
    """A compensating entry that a registry did not enter."""
    units = "CA0001-THA01-THA-3-2022..CA0001-THA01-THA-5-2022"
    done = sold.administration.do(correct_ledger(units, "CHE01", "GHA01", None), act())
    reference = f"C:{done.log_index}"
    doubled = finding(
        3, 5, FindingKind.DOUBLED_MESSAGE, cause_index=done.log_index, reference=reference
    )
    (case_id,) = compared(sold, doubled, registry="GHA01").opened
    cause = explained(sold, case_id).cause
    assert cause is not None
    assert (cause.types, cause.evidence) == (("ledger.correct",), None)


def test_both_views_stand_side_by_side(sold: World) -> None:
    """Where both have the units only what differs; else enough to recognise them by."""
    (case_id,) = compared(sold, finding(11, 20, ledger=(HELD,), registry=(USED,))).opened
    found = explained(sold, case_id)
    (one,) = found.differences
    assert one.serials == "CA0001-THA01-THA-11-2022 to CA0001-THA01-THA-20-2022"
    assert one.rows == (("status", "held", "used"),)
    assert one.allows == "action.use"
    assert "CHE01 may send the `action.use`" in found.frozen
    assert "Your book has ended" in found.at_registry[0]
    assert not any("your book still holds" in step for step in found.at_registry)
    (other,) = compared(sold, finding(50, 50, ledger=(), registry=(HELD,))).opened
    (one,) = explained(sold, other).differences
    assert one.rows[:2] == (("has them", "nothing", "once"), ("status", "-", "held"))


def test_a_case_of_the_other_registry_over_the_same_serials_is_named(sold: World) -> None:
    """Missing here and too many there are two cases of one mistake."""
    (missing,) = compared(sold, finding(11, 20)).opened
    (extra,) = compared(sold, finding(15, 15, ledger=(), registry=(HELD,)), registry="GHA01").opened
    assert explained(sold, missing).differences[0].also_in == (f"{extra} (GHA01)",)
    assert explained(sold, extra).differences[0].also_in == (f"{missing} (CHE01)",)


CASES: list[Any] = [
    *(kind for kind in FindingKind if kind not in PASSING),
    "another vintage",
    "no answer",
    "records",
]


@pytest.mark.parametrize("kind", CASES, ids=str)
def test_every_kind_of_case_reads_well(sold: World, kind: Any) -> None:
    """Every section is there, for the registry that has the case, in lines a terminal shows."""
    if kind == "no answer":
        done = unanswered(sold)
    elif kind == "records":
        done = compared_records(sold, RecordFinding(transfer_id="THA01-9"))
    elif kind == "another vintage":
        other = SERIES._replace(vintage=2023)
        done = compared(
            sold, finding(1, 2), finding(1, 2, series=other, ledger=(), registry=(HELD,))
        )
    else:
        done = compared(sold, finding(1, 2, kind))
    (case_id,) = done.opened
    found = explained(sold, case_id)
    text = text_of(found)
    for title in (
        f"CASE {case_id}   CHE01   open",
        "WHAT CHE01 DOES",
        "WHAT THE HUB'S OPERATORS DO",
        "FROZEN",
        "CLOSES BY",
        "SO FAR",
    ):
        assert title in text
    steps = [*found.at_registry, *found.at_hub]
    assert not any("the registry" in step.lower() for step in steps)
    commands = {command for _, command in found.commands}
    for line in text.splitlines():
        assert len(line) <= WIDTH or any(line.endswith(command) for command in commands), line
    document = json.loads(json.dumps(found.document()))
    assert document["case_id"] == case_id
    assert document["events"][0]["kind"] == "opened"


def test_transfers_on_record_differently_are_named_side_by_side(sold: World) -> None:
    """State and quantity, where they differ; nothing where a side has no record."""
    ours = RecordedTransfer(transfer_id="THA01-9", state="completed", quantity=5)
    theirs = replace(ours, quantity=6)
    (case_id,) = compared_records(
        sold,
        RecordFinding(transfer_id="THA01-9", ledger=ours, registry=theirs),
        RecordFinding(transfer_id="THA01-10", registry=theirs),
    ).opened
    first, second = explained(sold, case_id).differences
    assert (first.serials, first.rows) == ("THA01-9", (("quantity", "5", "6"),))
    assert second.rows == (("state", "nothing", "completed"), ("quantity", "nothing", "6"))
    assert "THA01-10" in text_of(explained(sold, case_id))


def test_a_long_case_shows_its_first_serials_and_counts_the_rest(sold: World) -> None:
    """The text stays one screen; the document has all of it."""
    findings = [finding(10 * one, 10 * one + 1) for one in range(1, 31)]
    (case_id,) = compared(sold, *findings).opened
    found = explained(sold, case_id)
    assert f"and {30 - DIFFERENCES_SHOWN} more (--json" in text_of(found)
    assert len(found.document()["differences"]) == 30
    assert "60 units in 30 ranges" in found.frozen


def test_a_closed_case_tells_what_closed_it(sold: World) -> None:
    """And its history, with who did what."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    sold.administration.do(case_acts.note([case_id], "rolled back at 02:10"), act())
    compared(sold)
    found = explained(sold, case_id)
    assert found.frozen == "Nothing is frozen by this case."
    assert found.closes.startswith("Closed by session CHE01-")
    assert set(dict(found.commands)) == {"history"}
    assert "note by operator: rolled back at 02:10" in text_of(found)


def test_there_is_no_explanation_of_no_case(sold: World) -> None:
    """It is said so, with where to look."""
    with pytest.raises(UnknownCaseError, match="case list"):
        explained(sold, "2020-01-01/1")
