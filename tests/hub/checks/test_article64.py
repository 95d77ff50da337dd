"""7006 to 7008 and 7013: A6.4ERs and the shares of their issuance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.article64 import authorized_shares
from hub.checks.facts import Policy
from hub.protocol.response_codes import ResponseCode as Code
from tests.hub.checks.worlds import (
    ISSUANCE,
    Row,
    Sent,
    a64_block,
    first_transfer,
    found,
    held,
    hold_true,
    issuance_notice,
    passes,
    proposal,
    sent,
    world,
)

ACCOUNTS = {"forwarding": "ACC-1", "sop_adaptation": "FUND", "omge": "OMGE"}
DONE = {"sop_done": 50, "omge_done": 20}


def pushed(
    kind: str, quantity: int, issuance: dict[str, Any] | None = None, **changes: Any
) -> Callable[[], Sent]:
    """Return units pushed from the issuance, itself changed."""
    fields = {"kind": kind, "acquiring_account": ACCOUNTS[kind], "issuance_id": "XMR01-7"}
    record = replace(ISSUANCE, **(issuance or {}))
    facts = world(issuances={"XMR01-7": record})
    return lambda: sent(first_transfer(a64_block(1, quantity), **(fields | changes)), facts)


def noticed(policy: Policy | None = None, **changes: Any) -> Callable[[], Sent]:
    """Return an issuance notice."""
    return lambda: sent(issuance_notice(**changes), world(policy=policy or Policy()))


EXEMPT: dict[str, Any] = {"sop_exempt": True, "sop_exemption": "SIDS"}

ROWS = [
    passes(Code.A64_UNIT_NOT_AUTHORIZED, "authorized", lambda: sent(first_transfer())),
    found(
        Code.A64_UNIT_NOT_AUTHORIZED,
        "contribution",
        lambda: sent(first_transfer(authorization_status="contribution")),
    ),
    found(
        Code.A64_UNIT_NOT_AUTHORIZED,
        "proposed past the shares of their issuance",
        lambda: sent(proposal(a64_block(), transfer_id="XMR01-1"), sender="XMR01"),
    ),
    passes(
        Code.A64_UNIT_NOT_AUTHORIZED,
        "proposed by the mechanism registry, which acquired them",
        lambda: sent(
            proposal(transfer_id="XMR01-1", action="transfer"),
            world(held(1, 100, registry="XMR01")),
            "XMR01",
        ),
    ),
    passes(Code.ISSUANCE_UNKNOWN, "noticed before", lambda: sent(first_transfer())),
    found(
        Code.ISSUANCE_UNKNOWN, "not noticed", lambda: sent(first_transfer(issuance_id="XMR01-8"))
    ),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "both came", pushed("forwarding", 930, DONE)),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "one unit for adaptation is missing",
        pushed("forwarding", 1, DONE | {"sop_done": 49}),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "one unit for OMGE is missing",
        pushed("forwarding", 1, DONE | {"omge_done": 19}),
    ),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "the share itself", pushed("sop_adaptation", 50)),
    passes(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "half authorized, half the shares",
        pushed("forwarding", 465, {"authorized_quantity": 500, "sop_done": 25, "omge_done": 10}),
    ),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "noticed 5 and 2 per cent", noticed()),
    found(Code.ISSUANCE_SHARES_INCOMPLETE, "noticed less than 5", noticed(sop_quantity=49)),
    found(Code.ISSUANCE_SHARES_INCOMPLETE, "noticed less than 2", noticed(omge_quantity=19)),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "noticed exempt", noticed(**EXEMPT, sop_quantity=0)),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "exempt from adaptation is not exempt from OMGE",
        noticed(**EXEMPT, sop_quantity=0, omge_quantity=0),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "a part of a unit rounds up",
        noticed(issued_quantity=1001, authorized_quantity=1001),
    ),
    passes(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "a part of a unit rounds down, as the operator set",
        noticed(Policy(share_rounding="down"), issued_quantity=1001, authorized_quantity=1001),
    ),
    passes(
        Code.SHARE_EXCEEDS_ISSUANCE, "the last unit", pushed("sop_adaptation", 1, {"sop_done": 49})
    ),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "one more for adaptation",
        pushed("sop_adaptation", 1, {"sop_done": 50}),
    ),
    found(Code.SHARE_EXCEEDS_ISSUANCE, "one more for OMGE", pushed("omge", 21)),
    found(Code.SHARE_EXCEEDS_ISSUANCE, "one more to forward", pushed("forwarding", 931, DONE)),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "one more to forward, others went before",
        pushed("forwarding", 31, DONE | {"forwarded": 900}),
    ),
    found(Code.SHARE_EXCEEDS_ISSUANCE, "more authorized", noticed(authorized_quantity=1001)),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "shares together",
        noticed(sop_quantity=600, omge_quantity=401),
    ),
    passes(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "shares of everything",
        noticed(sop_quantity=600, omge_quantity=400),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_article_64_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


@pytest.mark.parametrize(("authorized", "sop", "omge"), [(1000, 50, 20), (500, 25, 10), (0, 0, 0)])
def test_shares_follow_the_authorized_part(authorized: int, sop: int, omge: int) -> None:
    """Of what is not authorized nothing comes through the hub, so nothing of it is awaited."""
    shares = authorized_shares(replace(ISSUANCE, authorized_quantity=authorized))
    assert (shares.sop, shares.omge) == (sop, omge)
