"""Tests of the shares of an issuance and their rounding."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.international_registry.issuance import (
    OMGE_SHARE,
    SOP_SHARE,
    Rounding,
    Shares,
    quantity_forwardable,
    share_of,
    shares_are_done,
    shares_due,
)


@pytest.mark.parametrize(
    ("quantity", "up", "down", "half_even"),
    [(0, 0, 0, 0), (1, 1, 0, 0), (10, 1, 0, 0), (20, 1, 1, 1), (30, 2, 1, 2), (50, 3, 2, 2)],
)
def test_each_rounding_rounds_as_it_is_named(
    quantity: int, up: int, down: int, half_even: int
) -> None:
    """5 % of the quantity; 0.5, 1.5 and 2.5 tell half-even from half-up."""
    assert share_of(quantity, SOP_SHARE, Rounding.UP) == up
    assert share_of(quantity, SOP_SHARE, Rounding.DOWN) == down
    assert share_of(quantity, SOP_SHARE, Rounding.HALF_EVEN) == half_even


@given(quantity=st.integers(0, 2**63), rounding=st.sampled_from(Rounding))
def test_rounding_is_exact_and_less_than_a_unit_away(quantity: int, rounding: Rounding) -> None:
    """No floating point anywhere: the rounded share differs by less than one unit."""
    for share in (SOP_SHARE, OMGE_SHARE):
        assert abs(share_of(quantity, share, rounding) - quantity * share) < 1


def test_a_share_may_be_given_as_decimal() -> None:
    """Settings write 0.05; it means five hundredths exactly."""
    assert share_of(10**17, Decimal("0.05")) == share_of(10**17, Fraction(1, 20)) == 5 * 10**15


@pytest.mark.parametrize(
    ("quantity", "share"), [(-1, SOP_SHARE), (1, Fraction(3, 2)), (1, Decimal("-0.05"))]
)
def test_what_is_no_share_is_refused(quantity: int, share: Fraction | Decimal) -> None:
    """A share lies between nothing and all of a quantity that is not negative."""
    with pytest.raises(ValueError, match="no share"):
        share_of(quantity, share)


def test_an_exempt_activity_owes_no_share_of_proceeds() -> None:
    """6/CMA.6 para 20 exempts from the share of proceeds, not from OMGE."""
    assert shares_due(1001, sop_exempt=False) == Shares(sop=51, omge=21)
    assert shares_due(1001, sop_exempt=True) == Shares(sop=0, omge=21)


@pytest.mark.parametrize(
    ("sop", "omge", "done"),
    [(50, 20, True), (49, 20, False), (50, 19, False), (50, 30, True), (0, 0, False)],
)
def test_both_shares_must_have_left(sop: int, omge: int, done: bool) -> None:
    """7/CMA.4 annex I paras 39-41: only then is the rest forwarded. More OMGE is welcome."""
    due = shares_due(1000, sop_exempt=False)
    assert shares_are_done(due, sop_done=sop, omge_done=omge) is done


def test_the_rest_is_what_is_forwardable() -> None:
    """Shares and earlier forwardings are taken off; voluntary OMGE above the minimum too."""
    due = shares_due(1000, sop_exempt=False)
    assert quantity_forwardable(1000, due, omge_done=20, forwarded=0) == 930
    assert quantity_forwardable(1000, due, omge_done=0, forwarded=900) == 30
    assert quantity_forwardable(1000, due, omge_done=100, forwarded=0) == 850
    assert quantity_forwardable(1000, due, omge_done=100, forwarded=900) == 0
