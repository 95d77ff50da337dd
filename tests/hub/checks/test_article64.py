"""7006 to 7008 and 7013: A6.4ERs and the shares of their issuance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.article64 import authorized_shares
from hub.checks.facts import Policy
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.messages.article64 import AdjustedShare
from tests.hub.checks.mechanism_worlds import authorization_change, cancelled_there, retirement
from tests.hub.checks.worlds import (
    A64_SERIES,
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
    use,
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


IN_PART: dict[str, Any] = {"authorized_quantity": 500}
NEARLY_GONE = replace(ISSUANCE, sop_done=50, omge_done=20, forwarded=831)


def changed(sop: int, omge: int, held: int = 93, **issuance: Any) -> Callable[[], Sent]:
    """Return units authorized later out of an issuance of 500 authorized and 500 other units."""
    start = 1
    blocks, shares = [a64_block(1, held)], []
    start += held
    for kind, account, quantity in (
        ("sop_adaptation", "FUND", sop),
        ("omge", "OMGE", omge),
    ):
        if quantity:
            block = a64_block(start, start + quantity - 1)
            shares.append(AdjustedShare(kind=kind, account=account, ranges=(block.range,)))  # type: ignore[arg-type]  # one of the two kinds
            blocks.append(block)
            start += quantity
    done = {"sop_done": 25, "omge_done": 10}
    facts = world(issuances={"XMR01-7": replace(ISSUANCE, **(IN_PART | done | issuance))})
    body = authorization_change(*blocks, shares=tuple(shares))
    return lambda: sent(body, facts)


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
    passes(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "all of the shares is contribution units, as the notice says",
        pushed("forwarding", 430, IN_PART | {"sop_contribution": 50, "omge_contribution": 20}),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "none of the share for adaptation is contribution units",
        pushed("forwarding", 1, IN_PART | {"sop_contribution": 0, "sop_done": 49, "omge_done": 20}),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE, "authorized later, adaptation not adjusted", changed(0, 2)
    ),
    found(Code.ISSUANCE_SHARES_INCOMPLETE, "authorized later, OMGE not adjusted", changed(5, 0)),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "many small changes adjust nothing",
        changed(0, 0, held=1, authorized_later=19),
    ),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "a twentieth is not reached", changed(0, 0, held=19)),
    passes(Code.ISSUANCE_SHARES_INCOMPLETE, "authorized later, adjusted", changed(5, 2)),
    passes(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "retired after both came",
        lambda: sent(retirement()),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "retired before both came",
        lambda: sent(retirement(), world(issuances={"XMR01-7": ISSUANCE})),
    ),
    found(
        Code.ISSUANCE_SHARES_INCOMPLETE,
        "cancelled before both came",
        lambda: sent(cancelled_there(), world(issuances={"XMR01-7": ISSUANCE})),
    ),
    passes(Code.ISSUANCE_UNKNOWN, "retired out of a noticed one", lambda: sent(retirement())),
    found(
        Code.ISSUANCE_UNKNOWN,
        "retired out of another",
        lambda: sent(retirement(issuance_id="XMR01-8")),
    ),
    found(
        Code.ISSUANCE_UNKNOWN,
        "authorized later, of another",
        lambda: sent(authorization_change(issuance_id="XMR01-8")),
    ),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "more retired than is left",
        lambda: sent(retirement(), world(issuances={"XMR01-7": replace(NEARLY_GONE)})),
    ),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "authorized later, of units authorized at issuance",
        lambda: sent(authorization_change()),
    ),
    found(Code.SHARE_EXCEEDS_ISSUANCE, "adjusted beyond the share", changed(26, 10)),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "authorized later, the shares' own units as held ones",
        changed(0, 0, held=466),
    ),
    passes(Code.SHARE_EXCEEDS_ISSUANCE, "all of them later", changed(25, 10, held=465)),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "noticed, more contribution units than in the share",
        noticed(authorized_quantity=500, sop_contribution_quantity=51),
    ),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "noticed, contribution units where all are authorized",
        noticed(sop_contribution_quantity=1),
    ),
    found(
        Code.SHARE_EXCEEDS_ISSUANCE,
        "noticed, shares of authorized units beyond these",
        noticed(authorized_quantity=10, sop_contribution_quantity=0, omge_contribution_quantity=0),
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


@pytest.mark.parametrize(
    ("stated", "sop"), [(None, 25), (0, 50), (50, 0)], ids=["in proportion", "none", "all"]
)
def test_what_the_notice_says_of_a_share_is_taken_to_the_unit(stated: int | None, sop: int) -> None:
    """Half is authorized: the proportion is the fallback, the stated figure the rule."""
    record = replace(ISSUANCE, authorized_quantity=500, sop_contribution=stated)
    assert authorized_shares(record).sop == sop


def test_the_finding_says_what_is_missing_and_how_much() -> None:
    """An operator reads from the receipt which share to send, and how many units of it."""
    record = replace(ISSUANCE, sop_done=49, omge_done=20)
    body = first_transfer(issuance_id="XMR01-7")
    (finding,) = sent(body, world(issuances={"XMR01-7": record})).findings()
    assert finding.detail == (
        "Of issuance XMR01-7 1 of 50 authorized units for adaptation have not come."
    )


@pytest.mark.parametrize("sender", ["CHE01", "THA01", "XIR01"])
def test_nobody_else_retires_units_of_the_mechanism_registry(sender: str) -> None:
    """A Party that names the units, with or without their issuance, is not who keeps them."""
    body = retirement(action_id=f"{sender}-3")
    assert sent(body, sender=sender).codes() == [Code.ID_PREFIX_NOT_SENDER]
    bare = retirement(action_id=f"{sender}-3", issuance_id=None, account_party=None)
    codes = sent(bare, sender=sender).codes()
    assert set(codes) & {Code.BLOCK_UNKNOWN, Code.NOT_ORIGINATING_REGISTRY}


def test_units_in_accounts_elsewhere_are_out_of_reach_of_the_mechanism_registry() -> None:
    """What was first transferred into a Party's account there is the Party's to use."""
    for registry in ("XIR01", "CHE01"):
        account = "ACC-1" if registry == "XIR01" else None
        there = held(1, 100, series=A64_SERIES, registry=registry, account=account)
        codes = sent(retirement(account="ACC-1"), world(there)).codes()
        assert set(codes) & {
            Code.ACCOUNT_OTHER_PARTY,
            Code.BLOCK_NOT_HELD,
            Code.BLOCK_HELD_ELSEWHERE,
        }


def test_a_host_party_does_not_retire_its_own_mitigation() -> None:
    """It counts in its NDC anyway; as ITMO it would count for nobody (2/CMA.3 a.7-8)."""
    own = retirement(using_party="THA", account_party="THA")
    assert Code.BLOCK_UNKNOWN in sent(own).codes()


def test_a_retirement_account_takes_units_of_its_own_partys_accounts_only() -> None:
    """7/CMA.4 annex I para 44."""
    assert Code.ACCOUNT_OTHER_PARTY in sent(retirement(account_party="GHA")).codes()


@pytest.mark.parametrize("missing", ["issuance_id", "account_party", "account"])
def test_an_end_in_the_mechanism_registry_names_issuance_account_and_party(missing: str) -> None:
    """Without one of them the rules of Article 6.4 could not be looked at."""
    for body in (retirement(**{missing: None}), cancelled_there(**{missing: None})):
        assert Code.CONDITIONAL_FIELD_MISSING in sent(body).codes()


def test_a_party_does_not_name_the_party_of_an_account() -> None:
    """The field is the mechanism registry's, which keeps accounts for Parties."""
    codes = sent(use(account_party="CHE"), world(held(1, 100))).codes()
    assert codes == [Code.CONDITIONAL_FIELD_MISSING]


@pytest.mark.parametrize(
    ("ranges", "code"),
    [
        ((a64_block(94, 97).range,), Code.IDENTIFIER_INCONSISTENT),
        ((a64_block(94, 98).range, a64_block(94, 98).range), Code.IDENTIFIER_INCONSISTENT),
    ],
    ids=["part of a block", "a block twice"],
)
def test_an_adjusted_share_names_whole_blocks_once(ranges: Any, code: Code) -> None:
    """What enters the ledger is what stands in the message, and each unit once."""
    share = AdjustedShare(kind="sop_adaptation", account="FUND", ranges=ranges)
    assert code in sent(authorization_change(shares=(share,))).codes()


def test_a_share_stands_once_in_a_change() -> None:
    """One account for each share."""
    share = AdjustedShare(kind="omge", account="OMGE", ranges=(a64_block(99, 100).range,))
    assert Code.SCHEMA_VIOLATED in sent(authorization_change(shares=(share, share))).codes()


def test_an_adjusted_share_goes_to_the_account_of_its_kind() -> None:
    """Units for adaptation in a Party's account would be no share at all."""
    share = AdjustedShare(kind="sop_adaptation", account="ACC-1", ranges=(a64_block(94, 98).range,))
    assert Code.ACCOUNT_TYPE_NOT_ALLOWED in sent(authorization_change(shares=(share,))).codes()


def test_units_that_moved_are_no_contribution_units_any_more() -> None:
    """Later authorization is for units still with the participants (6/CMA.6 paras 12, 14)."""
    moved = held(50, 60, series=A64_SERIES, registry="XIR01", account="ACC-1")
    codes = sent(authorization_change(), world(moved)).codes()
    assert set(codes) & {Code.BLOCK_NOT_HELD, Code.BLOCK_HELD_ELSEWHERE}
