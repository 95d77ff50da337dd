"""51xx: accounts of the international registry."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.facts import Policy
from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.response_codes import ResponseCode as Code
from tests.hub.checks.worlds import (
    ACCOUNT,
    ISSUANCE,
    TRANSFER,
    Row,
    Sent,
    a64_block,
    acknowledgement,
    block,
    cancel,
    first_transfer,
    found,
    held,
    hold_true,
    onward,
    passes,
    proposal,
    rejection,
    sent,
    use,
    world,
)


def crediting(**changes: Any) -> Callable[[], Sent]:
    """Return a first transfer to a Swiss account at the international registry, changed."""
    account = replace(ACCOUNT, **changes)
    facts = world(accounts={("XIR01", account.account_id): account})
    return lambda: sent(proposal(acquiring_account="ACC-1"), facts, recipient="XIR01")


def pushing(account: str = "ACC-1", **changes: Any) -> Callable[[], Sent]:
    """Return A6.4ERs pushed into an account."""
    facts = world(issuances={"XMR01-7": ISSUANCE}) if changes else world()  # shares before the rest
    body = first_transfer(a64_block(1, 20), acquiring_account=account, **changes)
    return lambda: sent(body, facts)


def using(
    *, policy: Policy | None = None, account: str = "ACC-1", **changes: Any
) -> Callable[[], Sent]:
    """Return Switzerland's use of units in its account at the international registry, changed."""
    central = replace(ACCOUNT, **changes)
    facts = world(
        held(1, 100, registry="XIR01", account="ACC-1"),
        accounts={("XIR01", central.account_id): central},
        policy=policy or Policy(),
    )
    return lambda: sent(use(account=account), facts)


def cancelled_from_account_by(sender: str) -> Callable[[], Sent]:
    """Return a central system's cancellation of units in a Swiss central account, for the Party."""
    facts = world(held(1, 100, registry="XIR01", account="ACC-1"))
    return lambda: sent(cancel(action_id=f"{sender}-9", account="ACC-1"), facts, sender)


def debiting(account: str, held_in: str = "ACC-1") -> Callable[[], Sent]:
    """Return a transfer from an account at the international registry to Thailand."""
    body = onward(transfer_id="XIR01-1", transferring_account=account)
    facts = world(held(1, 100, registry="XIR01", account=held_in))
    return lambda: sent(body, facts, "XIR01", "THA01")


def suspended(subject: str, body: object, **changes: Any) -> Callable[[], Sent]:
    """Return a message while an account is suspended."""
    facts = world(held(1, 100), suspensions={("account", subject): "a drill"}, **changes)
    return lambda: sent(body, facts)


def answered_later(body: object, accounts: dict[tuple[str, str], Account]) -> Callable[[], Sent]:
    """Return an answer of the international registry, whose accounts changed in the meantime."""
    record = replace(TRANSFER, acquirer="XIR01", acquiring_account="ACC-1")
    facts = world(transfers={"THA01-1": record}, accounts=accounts)
    return lambda: sent(body, facts, "XIR01", "THA01")


CLOSED = {("XIR01", "ACC-1"): replace(ACCOUNT, status=AccountStatus.CLOSED)}

ROWS = [
    passes(Code.ACCOUNT_UNKNOWN, "credited", crediting()),
    found(Code.ACCOUNT_UNKNOWN, "to be credited", crediting(account_id="ACC-9")),
    found(Code.ACCOUNT_UNKNOWN, "to be pushed into", pushing("ACC-9")),
    found(Code.ACCOUNT_UNKNOWN, "to be debited", debiting("ACC-9")),
    found(Code.ACCOUNT_UNKNOWN, "gone since", answered_later(acknowledgement(), {})),
    passes(Code.ACCOUNT_UNKNOWN, "of a Party registry: its own affair", lambda: sent(proposal())),
    passes(Code.ACCOUNT_NOT_OPEN, "open", crediting()),
    passes(Code.ACCOUNT_NOT_OPEN, "provisional", crediting(status=AccountStatus.PROVISIONAL)),
    found(Code.ACCOUNT_NOT_OPEN, "closed", crediting(status=AccountStatus.CLOSED)),
    found(Code.ACCOUNT_NOT_OPEN, "requested", crediting(status=AccountStatus.REQUESTED)),
    found(Code.ACCOUNT_NOT_OPEN, "provisional, giving", using(status=AccountStatus.PROVISIONAL)),
    passes(
        Code.ACCOUNT_NOT_OPEN,
        "provisional, giving, as the operator allows",
        using(status=AccountStatus.PROVISIONAL, policy=Policy(provisional_accounts_may_send=True)),
    ),
    found(Code.ACCOUNT_NOT_OPEN, "closed since", answered_later(acknowledgement(), CLOSED)),
    passes(Code.ACCOUNT_NOT_OPEN, "closed since, declined", answered_later(rejection(), CLOSED)),
    passes(Code.ACCOUNT_TYPE_NOT_ALLOWED, "holding", crediting()),
    found(Code.ACCOUNT_TYPE_NOT_ALLOWED, "a use account credited", crediting(type=200)),
    found(Code.ACCOUNT_TYPE_NOT_ALLOWED, "a type nobody knows", crediting(type=999)),
    found(Code.ACCOUNT_TYPE_NOT_ALLOWED, "a cancellation account giving", using(type=310)),
    passes(Code.ACCOUNT_TYPE_NOT_ALLOWED, "OMGE to its account", pushing("OMGE", kind="omge")),
    found(Code.ACCOUNT_TYPE_NOT_ALLOWED, "OMGE to a holding account", pushing(kind="omge")),
    found(Code.ACCOUNT_TYPE_NOT_ALLOWED, "forwarding to OMGE", pushing("OMGE")),
    passes(Code.ACCOUNT_OTHER_COOPERATIVE_APPROACH, "the same", crediting()),
    passes(
        Code.ACCOUNT_OTHER_COOPERATIVE_APPROACH, "not bound", crediting(cooperative_approach=None)
    ),
    found(
        Code.ACCOUNT_OTHER_COOPERATIVE_APPROACH,
        "another",
        crediting(cooperative_approach="CA0002"),
    ),
    found(Code.ACCOUNT_OTHER_COOPERATIVE_APPROACH, "giving", using(cooperative_approach="CA0002")),
    found(
        Code.ACCOUNT_SUSPENDED,
        "of a Party registry, to be credited",
        suspended("CHE01/C-1", proposal(block(201, 300))),
    ),
    found(
        Code.ACCOUNT_SUSPENDED,
        "of a Party registry, to be debited",
        suspended("THA01/T-1", proposal(block(201, 300))),
    ),
    found(Code.ACCOUNT_SUSPENDED, "of a use", suspended("CHE01/U-1", use(account="U-1"))),
    found(
        Code.ACCOUNT_SUSPENDED,
        "accepting",
        suspended("CHE01/C-1", acknowledgement(), transfers={"THA01-1": TRANSFER}),
    ),
    passes(
        Code.ACCOUNT_SUSPENDED,
        "another account",
        suspended("CHE01/C-2", proposal(block(201, 300))),
    ),
    passes(Code.ACCOUNT_METRIC_DIFFERS, "the same", crediting()),
    found(Code.ACCOUNT_METRIC_DIFFERS, "another", crediting(metric="non-GHG")),
    passes(Code.ACCOUNT_OTHER_PARTY, "its own", using()),
    found(Code.ACCOUNT_OTHER_PARTY, "of another", using(party="GHA")),
    found(
        Code.ACCOUNT_OTHER_PARTY,
        "cancelled by the mechanism registry",
        cancelled_from_account_by("XMR01"),
    ),
    passes(
        Code.ACCOUNT_OTHER_PARTY,
        "cancelled by the international registry",
        cancelled_from_account_by("XIR01"),
    ),
    passes(Code.BLOCK_NOT_IN_ACCOUNT, "in it", debiting("ACC-1")),
    found(Code.BLOCK_NOT_IN_ACCOUNT, "in another", debiting("ACC-1", held_in="ACC-2")),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_account_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_the_share_of_proceeds_goes_to_the_fund_only() -> None:
    """A Party's holding account is no place for units of the Adaptation Fund."""
    share = {"kind": "sop_adaptation", "issuance_id": "XMR01-7"}
    to_party = first_transfer(a64_block(), acquiring_account="ACC-1", **share)
    to_fund = first_transfer(a64_block(), acquiring_account="FUND", **share)
    assert Code.ACCOUNT_TYPE_NOT_ALLOWED in sent(to_party).codes()
    assert Code.ACCOUNT_TYPE_NOT_ALLOWED not in sent(to_fund).codes()


@pytest.mark.parametrize(
    ("kind", "account", "fits"),
    [
        ("omge", "ACC-1", "omge goes to an account for cancellation for OMGE (300)"),
        ("sop_adaptation", "ACC-1", "a holding account (100) of the Adaptation Fund (XAF)"),
        ("forwarding", "OMGE", "forwarding goes to a holding account (100)"),
    ],
)
def test_an_account_that_does_not_fit_is_told_which_would(
    kind: str, account: str, fits: str
) -> None:
    """Whoever opened the wrong account reads which type to open."""
    body = first_transfer(a64_block(), acquiring_account=account, kind=kind, issuance_id="XMR01-7")
    (told,) = [
        one.detail for one in sent(body).findings() if one.code is Code.ACCOUNT_TYPE_NOT_ALLOWED
    ]
    assert told.endswith(f"{fits}.")


def test_a_partys_own_account_name_is_not_looked_up_at_the_international_registry() -> None:
    """Units in Switzerland's own registry are used from an account the hub cannot know."""
    facts = world(held(1, 100), accounts={})
    assert sent(use(account="ACC-1"), facts).codes() == []
