"""Contribution units, their later authorization, and what ends in the mechanism registry."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.rows import (
    AuthorizationChangeLine,
    ContributionLine,
    IssuanceLine,
    identifiers_of,
)
from connectors.mechanism_registry.issuances.messages import body_problems, message_of
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from hub.checks.facts import IssuanceRecord
from hub.protocol.response_codes import ResponseCode as Code
from hub.services.handlers.article64 import issuance_of
from message_schemas.messages.article64 import A64IssuanceNotice, AdjustedShare
from tests.connectors.mechanism_registry.issuances.test_survey import codes, new_survey
from tests.connectors.mechanism_registry.rows import (
    RULES,
    block,
    cancellation,
    change,
    contribution,
    feed_lines,
    half_authorized,
    issuance,
    retirement,
    whole_issuance,
)
from tests.hub.checks.mechanism_worlds import authorization_change
from tests.hub.checks.worlds import (
    a64_block,
    first_transfer,
    sent,
    world,
)

ALL_LATER: dict[str, Any] = {
    "first_serial": 536,
    "last_serial": 1000,
    "sop_first_serial": 501,
    "sop_last_serial": 525,
    "omge_first_serial": 526,
    "omge_last_serial": 535,
}


def row_of(fields: dict[str, Any]) -> Any:
    """Return the row of a good line."""
    row = read_row(fields, RULES)
    assert not isinstance(row, tuple), row
    assert body_problems(row, "XMR01") == ()
    return row


def test_contribution_units_are_good_lines_that_make_no_message() -> None:
    """Kept back, counted apart, and no error."""
    row = row_of(contribution(1, 10))
    assert isinstance(row, ContributionLine)
    assert message_of(row, "XMR01") is None
    survey = new_survey()
    assert codes(half_authorized(), survey) == [[]] * 7
    totals = survey.totals
    assert (totals.block_count, totals.kept_count, totals.refused_count) == (3, 3, 0)
    assert totals.apart() == {
        "contribution held": 465,
        "contribution omge": 10,
        "contribution sop_adaptation": 25,
    }
    assert sum(totals.by_account.values()) == 500


def test_forwarding_contribution_units_stays_refused() -> None:
    """They are no ITMOs, whatever account is named (4/CMA.6 para 49)."""
    lines = [issuance(authorized_quantity=500), contribution(1, 10, kind="forwarding")]
    assert codes(lines)[1] == [Code.A64_UNIT_NOT_AUTHORIZED]


def test_units_shown_as_contribution_units_do_not_leave_as_authorized_ones() -> None:
    """A later line that calls them authorized does not make them so."""
    lines = [*half_authorized()[:6], block(990, 1000)]
    assert codes(lines)[6] == [Code.A64_UNIT_NOT_AUTHORIZED]


def test_held_is_a_kind_of_contribution_units_alone() -> None:
    """Authorized units that stay are simply not in the feed."""
    assert codes([issuance(), block(1, 10, kind="held")])[1] == [Code.SCHEMA_VIOLATED]


def test_lines_of_contribution_units_complete_a_share_to_the_unit() -> None:
    """Where the feed shows them, one missing unit stops the rest, and is named."""
    lines = half_authorized()
    lines[3] = contribution(501, 524, kind="sop_adaptation")
    (judged,) = new_survey().judge(feed_lines(lines))[6:]
    (problem,) = judged.problems
    assert problem.code is Code.ISSUANCE_SHARES_INCOMPLETE
    assert "1 of 50 units for adaptation" in problem.text
    without = [line for line in lines if line["record"] == "issuance" or line["last_serial"] <= 500]
    assert codes(without) == [[]] * 4  # shown nowhere: in proportion


def test_the_issuance_line_may_say_that_a_share_is_contribution_units_throughout() -> None:
    """Then nothing of it is awaited from authorized units, and none may come."""
    stated = {"sop_contribution_quantity": 50, "omge_contribution_quantity": 20}
    lines = [
        issuance(authorized_quantity=500, **stated),
        block(1, 500),
        block(501, 501, kind="omge", acquiring_account="OMGE-1"),
    ]
    assert codes(lines) == [[], [], [Code.SHARE_EXCEEDS_ISSUANCE]]


@pytest.mark.parametrize(
    "stated",
    [
        {"sop_contribution_quantity": 51},
        {"sop_contribution_quantity": 50, "omge_contribution_quantity": 20},
    ],
    ids=["more than the share", "more than was issued as such"],
)
def test_an_issuance_line_that_contradicts_itself_is_refused(stated: dict[str, int]) -> None:
    """Contribution units of a share are units of the share, and contribution units."""
    found = codes([issuance(authorized_quantity=990, **stated)])[0]
    assert set(found) == {Code.SHARE_EXCEEDS_ISSUANCE}


def test_a_waived_exemption_makes_the_share_due() -> None:
    """6/CMA.6 para 20: the host Party may waive it; both at once cannot be."""
    waived = {"sop_exemption_waived": True}
    assert codes([issuance(**waived)]) == [[]]
    assert codes([issuance(**waived, sop_quantity=0)]) == [[Code.ISSUANCE_SHARES_INCOMPLETE]]
    both = issuance(**waived, sop_exempt=True, sop_exemption="LDC", sop_quantity=0)
    assert codes([both]) == [[Code.CONDITIONAL_FIELD_MISSING]]


def test_a_later_authorization_lets_its_units_leave() -> None:
    """The shares follow in the same line; what was held is forwarded afterwards."""
    survey = new_survey()
    forwarding = block(536, 1000, first_transfer_id="XMR01-2536")
    lines = [*half_authorized(), change(**ALL_LATER), forwarding]
    assert codes(lines, survey) == [[]] * 9
    assert survey.totals.authorized_later == 500
    (tally,) = survey.tallies()
    assert (tally.sop_done, tally.omge_done, tally.forwarded) == (50, 20, 930)
    row = row_of(change(**ALL_LATER))
    assert isinstance(row, AuthorizationChangeLine)
    assert identifiers_of(row, "XMR01")[0] == "CA0001-XMR01-THA-501-2022"
    message = message_of(row, "XMR01")
    assert message is not None
    assert message[0] == "a64.authorization_change"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"first_serial": 536, "last_serial": 735}, Code.ISSUANCE_SHARES_INCOMPLETE),
        ({"first_serial": 490, "last_serial": 500}, Code.BLOCKS_OVERLAP_IN_MESSAGE),
        ({"first_serial": 1001, "last_serial": 1005}, Code.SHARE_EXCEEDS_ISSUANCE),
        ({"first_serial": 536, "quantity": 1}, Code.CONDITIONAL_FIELD_MISSING),
        ({**ALL_LATER, "omge_account": None}, Code.CONDITIONAL_FIELD_MISSING),
        ({**ALL_LATER, "quantity": 499}, Code.QUANTITY_NOT_RANGE),
        ({**ALL_LATER, "sop_first_serial": 526}, Code.SERIAL_RANGE_REVERSED),
        ({**ALL_LATER, "changed_at": "2026-02-30T09:00:00.000Z"}, Code.SCHEMA_VIOLATED),
        ({**ALL_LATER, "change_id": "XMR02-1"}, Code.ID_PREFIX_NOT_SENDER),
        ({**ALL_LATER, "vintage": 2023}, Code.IDENTIFIER_INCONSISTENT),
    ],
    ids=[
        "shares not adjusted",
        "units that left",
        "units not shown as contribution units",
        "half a run",
        "a share without account",
        "wrong sum",
        "reversed",
        "no date",
        "another registry's id",
        "another vintage",
    ],
)
def test_a_later_authorization_that_cannot_be_is_refused(
    fields: dict[str, Any], code: Code
) -> None:
    """Only contribution units still held, with their shares, once."""
    lines = [*half_authorized(), change(**fields)]
    assert code in codes(lines)[7]


def test_units_are_authorized_later_once() -> None:
    """A second change of the same units is refused, under whatever id."""
    lines = [*half_authorized(), change(1, **ALL_LATER), change(2, **ALL_LATER)]
    assert Code.BLOCKS_OVERLAP_IN_MESSAGE in codes(lines)[8]
    again = [*half_authorized(), change(1, **ALL_LATER), change(1, **ALL_LATER)]
    assert codes(again)[8] == [Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD]


@pytest.mark.parametrize("end", [retirement, cancellation])
def test_what_ends_in_the_mechanism_registry_leaves_after_the_shares(end: Any) -> None:
    """A retirement or cancellation is no way past them, and takes units of the issuance."""
    lines = whole_issuance()
    early = [lines[0], end(71, 170)]
    assert codes(early)[1] == [Code.ISSUANCE_SHARES_INCOMPLETE]
    late = [*lines[:3], end(71, 170), block(171, 1000)]
    assert codes(late) == [[]] * 5
    assert codes([*lines[:3], end(71, 170), block(71, 1000)])[4] == [Code.BLOCKS_OVERLAP_IN_MESSAGE]
    assert codes([*lines[:3], end(71, 1001)])[3] == [Code.SHARE_EXCEEDS_ISSUANCE]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (retirement(71, 80, account_party="GHA"), Code.ACCOUNT_OTHER_PARTY),
        (cancellation(71, 80, account_party="GHA"), Code.ACCOUNT_OTHER_PARTY),
        (retirement(71, 80, calendar_year=None), Code.CONDITIONAL_FIELD_MISSING),
        (retirement(71, 80, purpose="use"), Code.CODE_NOT_IN_LIST),
        (cancellation(71, 80, cancellation_kind="oimp"), Code.CONDITIONAL_FIELD_MISSING),
        (cancellation(71, 80, cancellation_kind="retirement"), Code.SCHEMA_VIOLATED),
        (retirement(71, 80, account=None), Code.SCHEMA_VIOLATED),
    ],
    ids=["account", "account cancelled", "year", "purpose", "oimp", "kind", "no account"],
)
def test_an_end_that_cannot_be_is_refused(fields: dict[str, Any], code: Code) -> None:
    """7/CMA.4 I.44: from accounts of the Party that uses the units, and of no other."""
    assert code in codes([*whole_issuance()[:3], fields])[3]


def test_ends_and_changes_make_the_messages_of_their_kind() -> None:
    """Issuance, account and its Party travel along."""
    use = message_of(row_of(retirement(71, 80)), "XMR01")
    end = message_of(row_of(cancellation(71, 80)), "XMR01")
    assert use is not None
    assert end is not None
    assert (use[0], end[0]) == ("action.use", "action.cancellation")
    for _, body in (use, end):
        assert getattr(body, "account_party", None) == "CHE"
        assert body.issuance_id == "XMR01-1"


quantities = st.integers(0, 60)
steps = st.lists(
    st.tuples(
        st.sampled_from(("sop_adaptation", "omge", "forwarding", "change")), *[quantities] * 3
    ),
    max_size=12,
)


@given(
    authorized=st.integers(0, 100),
    stated=st.none() | st.tuples(st.integers(0, 5), st.integers(0, 2)),
    taken=steps,
)
def test_the_connector_counts_as_the_hub_does(
    authorized: int, stated: tuple[int, int] | None, taken: list[tuple[str, int, int, int]]
) -> None:
    """What is good here is good there and the other way about, step after step."""
    fields = issuance(
        issued_quantity=100,
        authorized_quantity=authorized,
        sop_quantity=5,
        omge_quantity=2,
        sop_contribution_quantity=stated and stated[0],
        omge_contribution_quantity=stated and stated[1],
    )
    row = row_of(fields)
    assert isinstance(row, IssuanceLine)
    message = message_of(row, "XMR01")
    assert message is not None
    assert isinstance(message[1], A64IssuanceNotice)
    tally, record = IssuanceTally.of(row), issuance_of(message[1])
    start = 1
    for kind, first, second, third in taken:
        parts = (first, second, third) if kind == "change" else (max(1, first), 0, 0)
        if not sum(parts):
            continue
        problem = tally.authorize(*parts) if kind == "change" else tally.take(kind, parts[0])
        hub_says, record = _ask_hub(record, kind, parts, start)
        assert (problem is None) == (not hub_says), (kind, parts, problem, hub_says)
        if problem is not None:
            assert problem.code in hub_says
        start += sum(parts)


def _ask_hub(
    record: IssuanceRecord, kind: str, parts: tuple[int, int, int], start: int
) -> tuple[set[Code], IssuanceRecord]:
    """Return which of 7007 and 7013 the hub finds, and the issuance afterwards."""
    facts = world(issuances={record.issuance_id: record})
    names = {"issuance_id": record.issuance_id, "activity_id": record.activity_id}
    if kind != "change":
        account = {"forwarding": "ACC-1", "sop_adaptation": "FUND", "omge": "OMGE"}[kind]
        unit = a64_block(start, start + parts[0] - 1)
        body: Any = first_transfer(unit, kind=kind, acquiring_account=account, **names)
    else:
        blocks, shares = [], []
        for quantity, share, account in zip(
            parts, ("", "sop_adaptation", "omge"), ("", "FUND", "OMGE"), strict=True
        ):
            if quantity:
                blocks.append(a64_block(start, start + quantity - 1))
                start += quantity
                if share:
                    shares.append(
                        AdjustedShare(kind=share, account=account, ranges=(blocks[-1].range,))  # type: ignore[arg-type]  # one of the two
                    )
        body = authorization_change(*blocks, shares=tuple(shares), **names)
    found = set(sent(body, facts).codes()) & {
        Code.ISSUANCE_SHARES_INCOMPLETE,
        Code.SHARE_EXCEEDS_ISSUANCE,
    }
    if found:
        return found, record
    if kind == "change":
        return found, replace(
            record,
            sop_done=record.sop_done + parts[1],
            omge_done=record.omge_done + parts[2],
            authorized_later=record.authorized_later + sum(parts),
            sop_later=record.sop_later + parts[1],
            omge_later=record.omge_later + parts[2],
        )
    name = {"forwarding": "forwarded", "sop_adaptation": "sop_done", "omge": "omge_done"}[kind]
    return found, replace(record, **{name: getattr(record, name) + parts[0]})
