"""7xxx: first transfers, vintages, NDC periods, metrics, the OIMP deadline."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.checks.facts import Facts, Policy
from hub.international_registry.authorizations import FirstTransferDefinition, NdcPeriod
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.blocks import Block
from tests.hub.checks.worlds import (
    APPROACH,
    ATTRIBUTES,
    AUTHORIZATION,
    SERIES,
    Row,
    Sent,
    authorization_record,
    block,
    cancel,
    found,
    held,
    hold_true,
    issuance_notice,
    onward,
    passes,
    proposal,
    sent,
    use,
    world,
)

NEW_YEAR_2027 = datetime(2027, 1, 1, tzinfo=UTC)


def unflagged(purposes: str = "NDC", definition: str = "use_or_cancellation") -> Facts:
    """Return a world with units in Thailand that are not first transferred."""
    return world(
        held(1, 100, registry="THA01", first_transfer=None),
        authorization=(replace(AUTHORIZATION, purposes=purposes),),
        approaches={
            "CA0001": replace(
                APPROACH, oimp_first_transfer_definition=FirstTransferDefinition(definition)
            )
        },
    )


def typed(action: str, facts: Facts, **changes: Any) -> Callable[[], Sent]:
    """Return Thailand's transfer of the units, called that."""
    return lambda: sent(proposal(action=action, **changes), facts)


def of_vintage(vintage: int, now: datetime | None = None) -> Callable[[], Sent]:
    """Return a first transfer of new units of a vintage that is authorized."""
    authorization = replace(AUTHORIZATION, vintage_first=2000, vintage_last=2100)
    facts = world(authorization=(authorization,))
    if now is not None:
        facts = replace(facts, now=now)
    return lambda: sent(proposal(block(vintage=vintage)), facts)


def used_in(year: int, vintage: int = 2022, **approach: Any) -> Callable[[], Sent]:
    """Return Switzerland's use in a year, of units of a vintage."""
    facts = world(
        held(1, 100, series=replace(SERIES, vintage=vintage)),
        approaches={"CA0001": replace(APPROACH, **approach)},
    )
    return lambda: sent(use(block(vintage=vintage), calendar_year=year), facts)


def own_use(facts: Facts, **changes: Any) -> Callable[[], Sent]:
    """Return Thailand's use of its own units."""
    body = use(action_id="THA01-9", using_party="THA", **changes)
    return lambda: sent(body, facts, "THA01")


PERIODS = (NdcPeriod("CHE", 2021, 2030), NdcPeriod("CHE", 2031, 2035))
THA_ONLY = (NdcPeriod("THA", 2021, 2030),)


def non_ghg(name: str | None) -> Callable[[], Sent]:
    """Return a first transfer of units in a metric that is not GHG."""
    authorization = replace(AUTHORIZATION, metric="non-GHG", non_ghg_metric=name)
    facts = world(authorization=(authorization,))
    stated: Block = block(metric="non-GHG", non_ghg_metric=name)
    return lambda: sent(proposal(stated), facts)


def recorded(**changes: Any) -> Callable[[], Sent]:
    """Return an authorization record."""
    return lambda: sent(authorization_record(**changes))


def cancelled_on(day: datetime, *, flagged: bool = False, **policy: Any) -> Callable[[], Sent]:
    """Return Thailand's cancellation for OIMP on a day; the last day is 31 December 2031."""
    approach = replace(APPROACH, ndc_periods=(NdcPeriod("THA", 2021, 2030),))
    authorization = replace(AUTHORIZATION, purposes="OIMP", valid_until=None)
    changes: dict[str, Any] = {} if flagged else {"first_transfer": None}
    facts = world(
        held(1, 100, registry="THA01", **changes),
        now=day,
        policy=Policy(**policy),
        authorization=(authorization,),
        approaches={"CA0001": approach},
    )
    fields = {"action_id": "THA01-9", "cancelling_party": "THA"}
    return lambda: sent(cancel(kind="oimp", oimp_purpose="CORSIA", **fields), facts, "THA01")


def at(*date: int) -> datetime:
    """Return noon of a day."""
    return datetime(*date, 12, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day


ROWS = [
    passes(Code.FIRST_TRANSFER_EXPECTED, "so called", typed("first_transfer", unflagged())),
    found(Code.FIRST_TRANSFER_EXPECTED, "called transfer", typed("transfer", unflagged())),
    found(
        Code.FIRST_TRANSFER_EXPECTED,
        "used towards its own NDC by the Party that has them",
        own_use(world(held(1, 100, registry="THA01", first_transfer=None))),
    ),
    found(
        Code.FIRST_TRANSFER_EXPECTED,
        "likewise, new units that OIMP covers too",
        own_use(world(authorization=(replace(AUTHORIZATION, purposes="NDC and OIMP"),))),
    ),
    passes(
        Code.FIRST_TRANSFER_EXPECTED,
        "used towards OIMP by the Party that has them",
        own_use(
            world(authorization=(replace(AUTHORIZATION, purposes="OIMP"),)),
            purpose="OIMP",
            oimp_purpose="CORSIA",
            calendar_year=None,
        ),
    ),
    passes(
        Code.FIRST_TRANSFER_EXPECTED,
        "for OIMP by use, a move is a transfer",
        typed("transfer", unflagged("OIMP"), purpose="OIMP"),
    ),
    found(
        Code.FIRST_TRANSFER_EXPECTED,
        "for NDC and OIMP by use, the move is the earlier",
        typed("transfer", unflagged("NDC and OIMP")),
    ),
    passes(
        Code.FIRST_TRANSFER_EXPECTED,
        "to the Adaptation Fund, called transfer",
        lambda: sent(
            proposal(action="transfer", acquiring_account="FUND"), unflagged(), recipient="XIR01"
        ),
    ),
    found(
        Code.ALREADY_FIRST_TRANSFERRED,
        "acquired units",
        lambda: sent(onward(action="first_transfer"), world(held(1, 100))),
    ),
    passes(
        Code.ALREADY_FIRST_TRANSFERRED,
        "acquired units, called transfer",
        lambda: sent(onward(), world(held(1, 100))),
    ),
    found(
        Code.ALREADY_FIRST_TRANSFERRED,
        "for OIMP by use, the move is no first transfer",
        typed("first_transfer", unflagged("OIMP"), purpose="OIMP"),
    ),
    found(
        Code.ALREADY_FIRST_TRANSFERRED,
        "one of them",
        lambda: sent(
            onward(action="first_transfer"),
            world(held(1, 99, first_transfer=None), held(100, 100)),
        ),
    ),
    passes(Code.VINTAGE_BEFORE_2021, "2021", of_vintage(2021)),
    found(Code.VINTAGE_BEFORE_2021, "2020", of_vintage(2020)),
    found(Code.VINTAGE_BEFORE_2021, "authorized", recorded(vintage_first=2020)),
    found(Code.VINTAGE_BEFORE_2021, "issued", lambda: sent(issuance_notice(vintage=2020))),
    passes(Code.VINTAGE_IN_FUTURE, "this year", of_vintage(2026)),
    found(Code.VINTAGE_IN_FUTURE, "next year", of_vintage(2027)),
    found(Code.VINTAGE_IN_FUTURE, "issued", lambda: sent(issuance_notice(vintage=2027))),
    passes(Code.VINTAGE_IN_FUTURE, "authorized for later", recorded(vintage_last=2030)),
    passes(Code.OUTSIDE_NDC_PERIOD, "the last year", used_in(2030)),
    found(Code.OUTSIDE_NDC_PERIOD, "after the last year", used_in(2031)),
    found(
        Code.OUTSIDE_NDC_PERIOD,
        "the next period",
        used_in(2031, ndc_periods=PERIODS),
    ),
    found(Code.OUTSIDE_NDC_PERIOD, "only of the other Party", used_in(2025, ndc_periods=THA_ONLY)),
    passes(
        Code.USING_PARTY_NOT_SENDER,
        "its own",
        lambda: sent(use(), world(held(1, 100))),
    ),
    found(
        Code.USING_PARTY_NOT_SENDER,
        "a use of another Party",
        lambda: sent(use(using_party="THA"), world(held(1, 100))),
    ),
    found(
        Code.USING_PARTY_NOT_SENDER,
        "a cancellation of another Party",
        lambda: sent(cancel(cancelling_party="THA"), world(held(1, 100))),
    ),
    passes(Code.NON_GHG_CONVERSION_MISSING, "named", non_ghg("MWh")),
    found(Code.NON_GHG_CONVERSION_MISSING, "not named", non_ghg(None)),
    found(Code.NON_GHG_CONVERSION_MISSING, "authorized", recorded(metric="non-GHG")),
    passes(Code.GWP_NOT_STATED, "stated", recorded()),
    found(Code.GWP_NOT_STATED, "not stated", recorded(gwp_values=None)),
    passes(
        Code.GWP_NOT_STATED,
        "not GHG",
        recorded(gwp_values=None, metric="non-GHG", non_ghg_metric="MWh"),
    ),
    passes(Code.OIMP_DEADLINE_NEAR, "90 days before", cancelled_on(at(2031, 10, 2))),
    found(Code.OIMP_DEADLINE_NEAR, "89 days before", cancelled_on(at(2031, 10, 3))),
    found(Code.OIMP_DEADLINE_NEAR, "past", cancelled_on(at(2032, 1, 1))),
    passes(
        Code.OIMP_DEADLINE_NEAR,
        "first transferred before",
        cancelled_on(at(2032, 1, 1), flagged=True),
    ),
    passes(
        Code.OIMP_DEADLINE_NEAR,
        "switched off",
        cancelled_on(at(2032, 1, 1), oimp_deadline_warning_days=None),
    ),
    passes(
        Code.OIMP_DEADLINE_NEAR,
        "a year more",
        cancelled_on(at(2032, 1, 1), oimp_deadline_years_after_period=2),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_article_6_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_the_international_registry_records_for_the_party_of_the_account() -> None:
    """It acts for every Party that has a section in it, and moves within one Party are domestic."""
    central = held(1, 100, registry="XIR01", account="ACC-1")
    body = use(action_id="XIR01-9", account="ACC-1")
    assert sent(body, world(central), "XIR01", "XHB01").codes() == []
    stored = replace(central, first_transfer=None)
    domestic = proposal(
        transfer_id="XIR01-1",
        action="first_transfer",
        transferring_account="ACC-1",
        acquiring_account="C-1",
    )
    codes = sent(domestic, world(stored), "XIR01", "CHE01").codes()
    assert codes == [Code.ALREADY_FIRST_TRANSFERRED]


def test_no_deadline_is_guessed_without_the_partys_ndc_period() -> None:
    """Where the NDC period is not on record, there is no last day to warn of."""
    sent_late = cancelled_on(at(2032, 1, 1))()
    approach = replace(APPROACH, ndc_periods=())
    facts = replace(sent_late.facts, approaches={"CA0001": approach})
    assert replace(sent_late, facts=facts).codes() == []


def test_a_new_year_makes_its_vintage_possible() -> None:
    """The year is that of the hub's now, to the second."""
    assert of_vintage(2027, NEW_YEAR_2027)().codes() == []


def test_a_deadline_warns_and_does_not_stop() -> None:
    """4/CMA.6 para 14 binds the Party; the hub's reading of the day is only a warning."""
    assert cancelled_on(at(2032, 1, 1))().codes() == [Code.OIMP_DEADLINE_NEAR]


def test_only_what_is_first_transferred_is_named_as_such() -> None:
    """A mixed block is answered with the serials that were transferred before."""
    facts = world(held(1, 99, first_transfer=None), held(100, 100), authorization=(AUTHORIZATION,))
    findings = sent(onward(action="first_transfer"), facts).findings()
    (finding,) = [f for f in findings if f.code is Code.ALREADY_FIRST_TRANSFERRED]
    assert [(part.first, part.last) for part in finding.ranges] == [(100, 100)]
    assert ATTRIBUTES.metric == "GHG"
