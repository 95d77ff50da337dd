"""Share of proceeds and OMGE: what is due, how it is rounded, and what may be taken."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.rows import BlockKind, IssuanceLine
from connectors.mechanism_registry.issuances.shares import (
    IssuanceTally,
    ShareRounding,
    ShareRules,
    judge_issuance,
)
from hub.protocol.response_codes import ResponseCode as Code
from tests.connectors.mechanism_registry.rows import RULES, issuance


def issuance_line(**changes: object) -> IssuanceLine:
    """Return a good issuance with changes."""
    row = read_row(issuance(**changes), RULES)
    assert isinstance(row, IssuanceLine)
    return row


@pytest.mark.parametrize(
    ("rounding", "sop", "omge"),
    [("up", 2, 1), ("down", 1, 0), ("half-even", 2, 1)],
)
def test_rounding_is_a_setting(rounding: str, sop: int, omge: int) -> None:
    """5 % of 30 is 1.5 and 2 % of 30 is 0.6: the setting decides."""
    rules = ShareRules(rounding=ShareRounding(rounding))
    assert (rules.sop_due(30, exempt=False), rules.omge_due(30)) == (sop, omge)


def test_half_even_goes_to_the_even_neighbour() -> None:
    """2.5 becomes 2 and 3.5 becomes 4, as 5 % of 50 and of 70."""
    rules = ShareRules(rounding=ShareRounding.HALF_EVEN)
    assert [rules.sop_due(quantity, exempt=False) for quantity in (50, 70)] == [2, 4]


@given(quantity=st.integers(1, 2**63 - 1), rounding=st.sampled_from(ShareRounding))
def test_a_share_is_less_than_a_unit_from_exact(quantity: int, rounding: ShareRounding) -> None:
    """Rounding moves a share by less than one unit, in its own direction, at any size."""
    due = ShareRules(rounding=rounding).sop_due(quantity, exempt=False)
    exact = Decimal(quantity) / 20
    assert abs(due - exact) < 1
    assert rounding is not ShareRounding.UP or due >= exact
    assert rounding is not ShareRounding.DOWN or due <= exact


def test_an_exempt_issuance_owes_no_adaptation_share() -> None:
    """Least developed countries and small islands are exempt (6/CMA.6 para 20)."""
    line = issuance_line(sop_exempt=True, sop_exemption="LDC", sop_quantity=0)
    assert judge_issuance(line, ShareRules()) == ()
    assert IssuanceTally.of(line).sop_due == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"sop_quantity": 49}, Code.ISSUANCE_SHARES_INCOMPLETE, "sop_quantity"),
        ({"omge_quantity": 19}, Code.ISSUANCE_SHARES_INCOMPLETE, "omge_quantity"),
        ({"authorized_quantity": 1001}, Code.SHARE_EXCEEDS_ISSUANCE, "authorized_quantity"),
        ({"sop_quantity": 981}, Code.SHARE_EXCEEDS_ISSUANCE, "sop_quantity"),
    ],
)
def test_an_issuance_states_enough_and_not_too_much(
    changes: dict[str, int], code: Code, field: str
) -> None:
    """One unit below the minimum, or above the whole, is found on the issuance's own line."""
    (problem,) = judge_issuance(issuance_line(**changes), ShareRules())
    assert (problem.code, problem.field) == (code, field)


def test_at_the_minimum_an_issuance_is_good() -> None:
    """50 and 20 of 1,000 are just enough."""
    assert judge_issuance(issuance_line(), ShareRules()) == ()


def test_forwarding_waits_for_both_shares() -> None:
    """Neither share alone opens the way (7/CMA.4 I.41)."""
    tally = IssuanceTally.of(issuance_line())
    for kind, quantity in ((BlockKind.SOP_ADAPTATION, 50), (BlockKind.OMGE, 20)):
        problem = tally.take(BlockKind.FORWARDING, 1)
        assert problem is not None
        assert problem.code is Code.ISSUANCE_SHARES_INCOMPLETE
        assert tally.take(kind, quantity) is None
    assert tally.take(BlockKind.FORWARDING, 930) is None
    problem = tally.take(BlockKind.FORWARDING, 1)
    assert problem is not None
    assert problem.code is Code.SHARE_EXCEEDS_ISSUANCE
    assert tally.forwarded == 930


@pytest.mark.parametrize(("kind", "limit"), [(BlockKind.SOP_ADAPTATION, 50), (BlockKind.OMGE, 20)])
def test_a_share_is_not_exceeded(kind: BlockKind, limit: int) -> None:
    """A share line may use up what the issuance states, and no unit more."""
    tally = IssuanceTally.of(issuance_line())
    assert tally.take(kind, limit) is None
    problem = tally.take(kind, 1)
    assert problem is not None
    assert problem.code is Code.SHARE_EXCEEDS_ISSUANCE


def test_of_a_partly_authorized_issuance_the_shares_are_in_proportion() -> None:
    """Half authorized: half of the stated shares must come through here, rounded down."""
    tally = IssuanceTally.of(issuance_line(authorized_quantity=500, sop_quantity=51))
    assert (tally.sop_due, tally.omge_due) == (25, 10)
