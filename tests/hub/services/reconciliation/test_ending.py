"""How sessions end: cases opened, continued, reopened and closed; what is frozen; what is said."""

import json
import random
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest

from hub.protocol.response_codes import ResponseCode
from hub.services.reconciliation.cases.ending import (
    BYTES_SHOWN_MAX,
    ROWS_SHOWN_MAX,
    Ending,
    SessionEndedError,
)
from hub.store import acts, holdings
from hub.store import head as heads
from hub.store.reconciliation import cases, links, sessions
from message_schemas.messages.reconciliation import RecordedTransfer, RecordFinding
from reconciliation.cases import NO_ANSWER, RECORD_DIFFERS
from reconciliation.digests import commitment
from reconciliation.discrepancies import PASSING, Finding, FindingKind
from tests.hub.services.reconciliation.case_worlds import (
    CANCELLED,
    HELD,
    SERIES,
    USED,
    assert_exactly_frozen,
    begin_session,
    case_of,
    compared,
    compared_records,
    events_of,
    finding,
    finish,
    frozen_now,
    frozen_serials,
    outcome_of,
    unanswered,
)
from tests.hub.world import HUB, World, accepted, codes_of, notices_to
from tests.integration.peers import Said, acceptance, block, now, proposal

SERIOUS = [kind for kind in FindingKind if kind not in PASSING]


@pytest.fixture
def sold(either_world: World) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 99)
    return either_world


def onward(number: int, first: int, last: int) -> Said:
    """Return a proposal of Switzerland to give units to Ghana."""
    return proposal(f"CHE01-{number}", block(first, last), action="transfer")


def ended(type_: str, number: int, first: int, last: int) -> Said:
    """Return a use or cancellation by Switzerland."""
    body: dict[str, Any] = {
        "action_id": f"CHE01-{number}",
        "cooperative_approach": "CA0001",
        "quantity": last - first + 1,
        "blocks": [block(first, last)],
    }
    if type_ == "action.use":
        return type_, body | {"purpose": "NDC", "using_party": "CHE", "calendar_year": 2025}
    return type_, body | {"kind": "voluntary", "cancelling_party": "CHE"}


# --- freezing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERIOUS, ids=str)
def test_each_kind_opens_a_case_and_freezes_exactly_its_serials(
    sold: World, kind: FindingKind
) -> None:
    """One over the border is refused, naming the case; the neighbours on both sides go through."""
    done = compared(sold, finding(11, 20, kind))
    (case_id,) = done.opened
    assert case_of(sold, case_id).kind == kind.value
    assert_exactly_frozen(sold, [finding(11, 20, kind)])
    refused = sold.say("CHE01", "GHA01", onward(1, 20, 21))
    assert codes_of(refused) == [ResponseCode.BLOCK_FROZEN]
    (found,) = refused["outcomes"][0]["findings"]
    assert case_id in found["text"]
    assert [(one["first_id"], one["last_id"]) for one in found["blocks"]] == [
        ("CA0001-THA01-THA-20-2022", "CA0001-THA01-THA-20-2022")
    ]
    accepted(sold.say("CHE01", "GHA01", onward(2, 1, 10), onward(3, 21, 30)))
    sold.prove()


@pytest.mark.parametrize("kind", sorted(PASSING), ids=str)
def test_what_passes_by_itself_opens_and_freezes_nothing(sold: World, kind: FindingKind) -> None:
    """It is a finding all the same, told to the registry, and the two sides agree."""
    done = compared(sold, finding(11, 20, kind))
    assert (done.opened, frozen_serials(sold)) == ((), [])
    _, body = notices_to(sold, "CHE01")[-1]
    assert (body["agreed"], body["finding_count"]) == (True, 1)
    assert (body["findings"][0]["frozen"], "case_id" in body["findings"][0]) == (False, False)
    accepted(sold.say("CHE01", "GHA01", onward(1, 11, 20)))


def test_serials_the_ledger_does_not_know_are_frozen_too(sold: World) -> None:
    """Units that a registry made up are not brought into the ledger while their case is open."""
    compared(sold, finding(501, 510, ledger=(), registry=(HELD,)), registry="THA01")
    said = proposal("THA01-2", block(505, 505))
    assert codes_of(sold.say("THA01", "CHE01", said)) == [ResponseCode.BLOCK_FROZEN]
    accepted(sold.say("THA01", "CHE01", proposal("THA01-3", block(511, 511))))
    assert sold.blocks()[-1] == (511, 511, "THA01", "authorized")


def test_a_transfer_in_flight_is_not_completed_over_a_freeze(sold: World) -> None:
    """Accepting is refused and the transfer stays open; it can be rejected, or accepted later."""
    receipt = accepted(sold.say("CHE01", "GHA01", onward(1, 11, 20)))
    digest = receipt["envelope_sha256"]
    done = compared(sold, finding(15, 15))
    said = acceptance("CHE01-1", digest)
    assert codes_of(sold.say("GHA01", "CHE01", said)) == [ResponseCode.BLOCK_FROZEN]
    assert (11, 20, "CHE01", "itmo") in sold.blocks()
    assert compared(sold).closed == done.opened
    accepted(sold.say("GHA01", "CHE01", said))
    assert (11, 20, "GHA01", "itmo") in sold.blocks()
    sold.prove()


def test_a_transfer_in_flight_over_a_freeze_can_be_given_up(sold: World) -> None:
    """Declining moves nothing, so no case stops it."""
    receipt = accepted(sold.say("CHE01", "GHA01", onward(1, 11, 20)))
    compared(sold, finding(15, 15))
    changes = {"decision": "reject", "reasons": [{"text": "frozen"}]}
    accepted(
        sold.say("GHA01", "CHE01", acceptance("CHE01-1", receipt["envelope_sha256"], **changes))
    )
    assert {one[2:] for one in sold.blocks()} == {("CHE01", "itmo")}


@pytest.mark.parametrize(
    ("theirs", "right", "wrong"),
    [
        (USED, "action.use", "action.cancellation"),
        (CANCELLED, "action.cancellation", "action.use"),
    ],
    ids=["used", "cancelled"],
)
def test_the_act_that_puts_the_ledger_right_is_let_through(
    sold: World, theirs: Any, right: str, wrong: str
) -> None:
    """What the registry has ended it may end here, in no other way, and then both agree."""
    done = compared(sold, finding(11, 20, registry=(theirs,)))
    assert codes_of(sold.say("CHE01", HUB, ended(wrong, 1, 11, 20))) == [ResponseCode.BLOCK_FROZEN]
    assert codes_of(sold.say("CHE01", "GHA01", onward(2, 11, 20))) == [ResponseCode.BLOCK_FROZEN]
    accepted(sold.say("CHE01", HUB, ended(right, 3, 11, 20)))
    assert compared(sold).closed == done.opened
    sold.prove()


def test_two_registries_may_have_cases_of_the_same_serials(sold: World) -> None:
    """Each case is closed by its own registry; what a seller says it still has stops no buyer."""
    of_buyer = compared(sold, finding(11, 20))
    of_seller = compared(sold, finding(15, 30, ledger=(), registry=(HELD,)), registry="THA01")
    assert compared(sold).closed == of_buyer.opened
    assert frozen_serials(sold) == [(15, 30)]
    assert codes_of(sold.say("CHE01", "THA01", onward(1, 16, 17))) == [ResponseCode.BLOCK_FROZEN]
    accepted(sold.say("CHE01", "GHA01", onward(2, 16, 17)))
    assert compared(sold, registry="THA01").closed == of_seller.opened
    accepted(sold.say("CHE01", "THA01", onward(3, 18, 19)))


# --- going on, coming back, over -----------------------------------------------------------------


def test_a_case_goes_on_with_the_serials_of_now(sold: World) -> None:
    """Half of it corrected, half is still frozen, in the same case; it grows as well."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    assert compared(sold, finding(16, 25)).continued == (case_id,)
    assert frozen_serials(sold) == [(16, 25)]
    assert case_of(sold, case_id).units == 10
    assert events_of(sold, case_id) == ["opened", "found_again"]


def test_a_clean_session_closes_and_what_comes_back_reopens(sold: World) -> None:
    """Closed is not forgotten: the same serials with the same difference are the same case."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    assert compared(sold).closed == (case_id,)
    row = case_of(sold, case_id)
    assert (row.state, frozen_serials(sold)) == ("closed", [])
    assert row.closed_at is not None
    assert compared(sold, finding(20, 21)).reopened == (case_id,)
    row = case_of(sold, case_id)
    assert (row.state, row.reopened_count, row.closed_at) == ("open", 1, None)
    assert frozen_serials(sold) == [(20, 21)]
    assert events_of(sold, case_id) == ["opened", "closed", "reopened"]


def test_another_kind_over_a_closed_case_is_a_new_case(sold: World) -> None:
    """Only the same kind of difference is taken for the old one."""
    (first,) = compared(sold, finding(11, 20)).opened
    compared(sold)
    (second,) = compared(sold, finding(11, 20, FindingKind.ATTRIBUTE_DIFFERS)).opened
    assert first != second


@pytest.mark.parametrize("state", ["refused", "silent", "failed"])
def test_no_answer_closes_and_thaws_nothing(sold: World, state: str) -> None:
    """It is a case of its own, once however often, until the registry answers."""
    (serials,) = compared(sold, finding(11, 20)).opened
    (case_id,) = unanswered(sold, state).opened
    assert case_of(sold, case_id).kind == NO_ANSWER
    assert unanswered(sold, state).continued == (case_id,)
    assert frozen_serials(sold) == [(11, 20)]
    done = compared(sold, finding(11, 20))
    assert (done.closed, done.continued) == ((case_id,), (serials,))
    assert unanswered(sold, state).opened != (case_id,)


@pytest.mark.parametrize(
    "changes",
    [
        {"is_contradictory": True},
        {"by_totals_alone": (SERIES,)},
        {"awaited": (finding(11, 20, FindingKind.TIMING),)},
    ],
    ids=["contradictory", "totals", "awaited"],
)
def test_a_session_that_did_not_see_the_serials_closes_nothing(
    sold: World, changes: dict[str, Any]
) -> None:
    """Answers that contradict each other, totals, messages on their way: no proof of anything."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    assert compared(sold, **changes).closed == ()
    assert case_of(sold, case_id).state == "open"
    assert frozen_serials(sold) == [(11, 20)]
    with sold.database.reading() as connection:
        link = links.load(connection, "CHE01")
    if "awaited" not in changes:
        assert link is None or link.agreed_to is None


def test_other_serials_passing_by_do_not_hold_a_case_open(sold: World) -> None:
    """Timing elsewhere says nothing about these."""
    (case_id,) = compared(sold, finding(11, 20)).opened
    assert compared(sold, finding(50, 60, FindingKind.TIMING)).closed == (case_id,)


def test_a_case_of_records_ends_with_clean_records_alone(sold: World) -> None:
    """Holdings that agree say nothing of transfers without units, and the other way round."""
    theirs = RecordedTransfer(transfer_id="THA01-9", state="completed", quantity=5)
    differs = RecordFinding(transfer_id="THA01-9", registry=theirs)
    (case_id,) = compared_records(sold, differs).opened
    assert case_of(sold, case_id).kind == RECORD_DIFFERS
    _, body = notices_to(sold, "CHE01")[-1]
    assert (body["basis"], body["records"][0]["case_id"]) == ("records", case_id)
    (serials,) = compared(sold, finding(11, 20)).opened
    assert compared_records(sold, differs).continued == (case_id,)
    assert compared_records(sold).closed == (case_id,)
    assert case_of(sold, serials).state == "open"


# --- what is said and kept -----------------------------------------------------------------------


def test_the_end_of_a_session_is_said_logged_and_kept(sold: World) -> None:
    """Act, notice and rows say the same; the act commits to all findings and to the digest."""
    session = begin_session(sold)
    found = (finding(11, 20, cause_index=3, reference="THA01-1"), finding(40, 40))
    at = now()
    done = finish(
        sold, session, Ending("done", outcome_of(session, *found, as_of=4), digest=2**127), at
    )
    assert (done.recipients, len(done.opened)) == (["CHE01"], 2)
    type_, body = notices_to(sold, "CHE01")[-1]
    assert type_ == "reconciliation.result"
    assert (body["session"], body["as_of"], body["agreed"]) == (session.session, 4, False)
    assert body["opened_cases"] == list(done.opened)
    assert [one["case_id"] for one in body["findings"]] == list(done.opened)
    with sold.database.reading() as connection:
        row = sessions.load(connection, session.session)
        act = acts.at(connection, done.log_index)
        findings = cases.findings(connection, session.session)
        head = heads.read(connection)
    assert row is not None
    assert (row.state, row.agreed, row.finding_count) == ("done", False, 2)
    assert (row.result_log_index, row.finished_at) == (done.log_index, at)
    assert [json.loads(one.body) for one in findings] == body["findings"]
    assert act is not None
    detail = json.loads(act.document)["detail"]
    lines = "\n".join(one.body for one in findings)
    assert detail["findings_sha256"] == sha256(lines.encode()).hexdigest()
    assert detail["ledger_commitment"] == commitment(4, 2**127)
    assert detail["findings"] == body["findings"]
    assert head.log_index == done.log_index
    sold.prove()


def test_a_session_ends_once(sold: World) -> None:
    """Another process that ends it too changes nothing, and is told."""
    session = begin_session(sold)
    ending = Ending("done", outcome_of(session, finding(11, 20)))
    finish(sold, session, ending)
    before = len(notices_to(sold, "CHE01"))
    with pytest.raises(SessionEndedError, match=session.session):
        finish(sold, session, ending)
    assert len(notices_to(sold, "CHE01")) == before


def test_an_agreed_cut_is_noted_at_the_link(sold: World) -> None:
    """As of the index that was compared; a session with findings notes nothing."""
    session = begin_session(sold)
    finish(sold, session, Ending("done", outcome_of(session, as_of=session.log_index + 1)))
    compared(sold, finding(11, 20))
    with sold.database.reading() as connection:
        link = links.load(connection, "CHE01")
    assert link is not None
    assert link.agreed_to == session.log_index + 1


def test_frozen_serials_are_loaded_again_when_they_change_and_not_otherwise(sold: World) -> None:
    """Every hub process sees another version with the next commit; the same findings cost none."""

    def version() -> int:
        with sold.database.reading() as connection:
            return heads.read(connection).reference_version

    versions = [version()]
    for findings in ([], [finding(11, 20)], [finding(11, 20)], [finding(11, 21)], [], []):
        compared(sold, *findings)
        versions.append(version())
    steps = [after - before for before, after in pairwise(versions)]
    assert steps == [0, 1, 0, 1, 1, 0]


def test_days_number_their_cases(sold: World) -> None:
    """Ten and more on a day, then one on the next; each is due some days later."""
    at = now()
    findings = [
        finding(first, first, series=replaced) for first, replaced in enumerate(series_of(11), 1)
    ]
    done = compared(sold, *findings, at=at)
    day = at.date().isoformat()
    assert sorted(done.opened, key=lambda one: int(one.partition("/")[2])) == [
        f"{day}/{number}" for number in range(1, 12)
    ]
    (case_id,) = compared(sold, *findings, finding(80, 81), at=at).opened
    assert case_id == f"{day}/12"
    assert case_of(sold, case_id).due_on == (at + timedelta(days=5)).date().isoformat()
    morrow = at + timedelta(days=1)
    (case_id,) = compared(sold, finding(90, 91, series=series_of(12)[-1]), at=morrow).opened
    assert case_id == f"{morrow.date().isoformat()}/1"


def series_of(count: int) -> list[Any]:
    """Return some series that nobody knows."""
    return [SERIES._replace(cooperative_approach=f"CA{2000 + one}") for one in range(count)]


def test_a_book_in_ruins_ends_within_bounds(sold: World) -> None:
    """50,000 findings: told are the first, counted all, frozen exactly theirs, quickly enough."""
    findings = [finding(3 * number + 1, 3 * number + 1) for number in range(50_000)]
    started = now()
    done = compared(sold, *findings)
    took = (now() - started).total_seconds()
    (case_id,) = done.opened
    _, body = notices_to(sold, "CHE01")[-1]
    assert body["finding_count"] == 50_000
    assert 0 < len(body["findings"]) <= ROWS_SHOWN_MAX
    assert len(json.dumps(body)) < 2 * BYTES_SHOWN_MAX
    assert case_of(sold, case_id).units == 50_000
    assert len(frozen_now(sold)) == 50_000
    assert codes_of(sold.say("CHE01", "GHA01", onward(1, 1, 1))) == [ResponseCode.BLOCK_FROZEN]
    accepted(sold.say("CHE01", "GHA01", onward(2, 2, 3)))
    assert compared(sold).closed == (case_id,)
    assert frozen_serials(sold) == []
    print(f"50,000 findings ended in {took:.1f} s on {sold.database.url.get_backend_name()}")
    assert took < 60


def test_touching_findings_that_are_alike_are_frozen_as_one_range(sold: World) -> None:
    """The fewest ranges, and exactly the serials."""
    findings = [finding(one, one) for one in range(11, 21)]
    done = compared(sold, *findings, finding(21, 22, FindingKind.ATTRIBUTE_DIFFERS))
    assert frozen_serials(sold) == [(11, 20), (21, 22)]
    assert len(done.opened) == 2


def test_a_registry_that_says_a_unit_very_often_is_told_the_first_of_it(sold: World) -> None:
    """No notice is longer than its schema allows, whatever a registry says."""
    said = tuple((*HELD[:6], f"sector {one}", *HELD[7:]) for one in range(300))
    compared(sold, finding(11, 20, registry=said))
    _, body = notices_to(sold, "CHE01")[-1]
    assert len(body["findings"][0]["registry"]) == 100


def all_findings(*, seed: int) -> list[Finding]:
    """Return some findings of every kind, in serials that follow each other."""
    return [
        finding(10 * number + seed, 10 * number + seed + 4, kind)
        for number, kind in enumerate(SERIOUS)
    ]


def test_all_kinds_at_once_are_frozen_and_thawed_together(sold: World) -> None:
    """Seven cases in one session, none in the next."""
    done = compared(sold, *all_findings(seed=1))
    assert len(done.opened) == len(SERIOUS)
    assert_exactly_frozen(sold, all_findings(seed=1))
    assert set(compared(sold).closed) == set(done.opened)
    assert frozen_serials(sold) == []
    with sold.database.reading() as connection:
        assert holdings.held_blocks(connection) == []


def test_whatever_sessions_find_frozen_is_what_differs_and_nothing_else(
    sold: World, run_seed: int
) -> None:
    """Twenty sessions with serials and kinds at random, cases of two registries side by side."""
    dice = random.Random(run_seed)
    differing: dict[str, set[int]] = {"CHE01": set(), "THA01": set()}
    for _ in range(20):
        registry = dice.choice(sorted(differing))
        findings: list[Finding] = []
        position = 0
        for _ in range(dice.randrange(5)):
            first = position + dice.randint(1, 12)
            position = first + dice.randrange(8)
            findings.append(finding(first, position, dice.choice(SERIOUS)))
        done = compared(sold, *findings, registry=registry)
        differing[registry] = serials_of((one.first, one.last) for one in findings)
        for code, expected in differing.items():
            ranges = [(a, b) for a, b, freeze in frozen_now(sold) if freeze.registry == code]
            assert serials_of(ranges) == expected
            assert sum(b - a + 1 for a, b in ranges) == len(expected), "a serial is frozen twice"
        with sold.database.reading() as connection:
            rows = cases.open_of(connection, registry)
            of_cases = cases.ranges(connection, [row.case_id for row in rows])
        for row in rows:
            assert row.units == sum(one.quantity for one in of_cases[row.case_id])
        touched = {*done.opened, *done.continued, *done.reopened}
        assert {row.case_id for row in rows} == touched
    sold.prove()


def serials_of(ranges: Iterable[tuple[int, int]]) -> set[int]:
    """Return the serials of ranges."""
    return {serial for first, last in ranges for serial in range(first, last + 1)}
