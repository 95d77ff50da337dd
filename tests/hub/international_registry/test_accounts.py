"""Tests of account kinds and what accounts may receive and give."""

from dataclasses import replace

import pytest

from hub.international_registry.accounts import (
    ACCOUNT_TYPES,
    Account,
    AccountKind,
    AccountStatus,
    AccountType,
    is_bound_to,
    is_holding,
    is_open,
    may_give,
    may_receive,
)
from tests.hub.international_registry.samples import SERIES

HOLDING = Account("ACC-1", "XIR01", 100, "CHE", None, "CA0003", "GHG", AccountStatus.OPEN)


def test_only_the_published_label_is_not_marked_as_ours() -> None:
    """The nomenclature gave one label, 200; whoever reads the others must know whose they are."""
    assert [code for code, type_ in ACCOUNT_TYPES.items() if not type_.label_is_ours] == [200]
    assert set(ACCOUNT_TYPES) == {100, 200, 210, 300, 310, 320, 330}


@pytest.mark.parametrize("code", ACCOUNT_TYPES)
def test_nothing_leaves_a_use_or_cancellation_account(code: int) -> None:
    """7/CMA.4 annex I para 45: whatever is not a holding account is an end."""
    account = replace(HOLDING, type=code)
    assert may_give(account) is may_receive(account) is is_holding(account) is (code == 100)


@pytest.mark.parametrize(
    ("status", "open_", "receives", "gives"),
    [
        (AccountStatus.REQUESTED, False, False, False),
        (AccountStatus.ACKNOWLEDGED, False, False, False),
        (AccountStatus.PROVISIONAL, True, True, False),
        (AccountStatus.OPEN, True, True, True),
        (AccountStatus.SUSPENDED, False, False, False),
        (AccountStatus.CLOSED, False, False, False),
    ],
)
def test_the_status_decides_what_an_account_may_do(
    status: AccountStatus, open_: bool, receives: bool, gives: bool
) -> None:
    """A provisional account receives and holds only: our default, the rules are silent."""
    account = replace(HOLDING, status=status)
    assert is_open(account) is open_
    assert may_receive(account) is receives
    assert may_give(account) is gives


def test_an_operator_may_let_provisional_accounts_send() -> None:
    """The setting opens provisional accounts and no others."""
    provisional = replace(HOLDING, status=AccountStatus.PROVISIONAL)
    suspended = replace(HOLDING, status=AccountStatus.SUSPENDED)
    assert may_give(provisional, provisional_may_send=True)
    assert not may_give(suspended, provisional_may_send=True)


def test_an_account_of_an_unknown_type_does_nothing() -> None:
    """A number that is not on the list is not guessed to be a holding account."""
    account = replace(HOLDING, type=999)
    assert not may_receive(account)
    own_list = {999: AccountType(999, AccountKind.HOLDING, "Holding", True)}
    assert may_receive(account, own_list)
    assert not may_receive(HOLDING, own_list)


@pytest.mark.parametrize(("bound", "fits"), [("CA0003", True), (None, True), ("CA0004", False)])
def test_an_account_serves_its_cooperative_approach(bound: str | None, fits: bool) -> None:
    """Units of another approach may not lie there."""
    assert is_bound_to(replace(HOLDING, cooperative_approach=bound), SERIES) is fits
