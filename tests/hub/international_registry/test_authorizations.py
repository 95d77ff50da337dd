"""Tests of the scope of authorizations and of the usage of their caps."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.international_registry.authorizations import (
    ApproachStatus,
    Authorization,
    AuthorizationStatus,
    AuthorizationUsage,
    CooperativeApproach,
    FirstTransferDefinition,
    NdcPeriod,
    definition_in_force,
    exceeds_cap,
    quantity_left,
)

AUTHORIZATION = Authorization(
    authorization_id="GHA-1",
    version=1,
    cooperative_approach="CA0003",
    authorizing_party="GHA",
    authorized_on=date(2024, 1, 1),
    purposes="NDC and IMP",
    oimp_authorized="CORSIA",
    authorized_parties=("CHE",),
    authorized_entities=("CHE-123",),
    quantity_max=1000,
    metric="GHG",
    non_ghg_metric=None,
    gwp_values=None,
    sectors=("Agriculture",),
    activity_types=("Biogas",),
    vintage_first=2021,
    vintage_last=2025,
    valid_from=date(2024, 1, 1),
    valid_until=date(2030, 12, 31),
    first_transfer_definition=FirstTransferDefinition.ISSUANCE,
    changes_apply_to_first_transferred=False,
    terms=None,
    status=AuthorizationStatus.IN_FORCE,
)
APPROACH = CooperativeApproach(
    "CA0003",
    1,
    "Clean cooking",
    ("GHA", "CHE"),
    None,
    (NdcPeriod("CHE", 2021, 2030), NdcPeriod("GHA", 2020, 2025), NdcPeriod("GHA", 2026, 2030)),
    ApproachStatus.ACTIVE,
)


@pytest.mark.parametrize(
    ("day", "in_force"),
    [
        (date(2023, 12, 31), False),
        (date(2024, 1, 1), True),
        (date(2030, 12, 31), True),
        (date(2031, 1, 1), False),
    ],
)
def test_an_authorization_is_in_force_from_its_first_to_its_last_day(
    day: date, in_force: bool
) -> None:
    """Both days belong to it; a revoked one is never in force."""
    assert AUTHORIZATION.is_in_force(day) is in_force
    assert not replace(AUTHORIZATION, status=AuthorizationStatus.REVOKED).is_in_force(day)


def test_an_authorization_without_a_last_day_does_not_end() -> None:
    """No last day is no limit."""
    assert replace(AUTHORIZATION, valid_until=None).is_in_force(date(2090, 1, 1))


def test_the_scope_is_what_is_listed() -> None:
    """Parties, entities, sectors, activity types, metric, purposes: listed or refused."""
    scope = AUTHORIZATION
    assert scope.covers_party("CHE")
    assert scope.covers_party("GHA"), "the authorizing Party needs no leave of its own"
    assert not scope.covers_party("THA")
    assert scope.covers_entity("CHE-123")
    assert not scope.covers_entity("CHE-124")
    assert scope.covers_sector("Agriculture")
    assert not scope.covers_sector("Transportation")
    assert scope.covers_activity_type("Biogas")
    assert not scope.covers_activity_type("Wind")
    assert not scope.covers_activity_type(None)
    assert scope.covers_purpose("IMP")
    assert not scope.covers_purpose("OIMP")


def test_an_empty_list_means_any() -> None:
    """4/CMA.6 para 5(b), (m), (n): named only if applicable."""
    scope = replace(
        AUTHORIZATION,
        authorized_parties=(),
        authorized_entities=(),
        sectors=(),
        activity_types=(),
    )
    assert scope.covers_party("THA")
    assert scope.covers_entity("X")
    assert scope.covers_sector("Transportation")
    assert scope.covers_activity_type(None)


@pytest.mark.parametrize(
    ("vintage", "covered"), [(2020, False), (2021, True), (2025, True), (2026, False)]
)
def test_the_first_and_the_last_vintage_are_covered(vintage: int, covered: bool) -> None:
    """The span of vintages includes both its ends."""
    assert AUTHORIZATION.covers_vintage(vintage) is covered


def test_a_metric_is_covered_only_with_its_own_name() -> None:
    """A non-GHG authorization does not cover another non-GHG metric."""
    hectares = replace(AUTHORIZATION, metric="non-GHG", non_ghg_metric="hectares")
    assert AUTHORIZATION.covers_metric("GHG", None)
    assert hectares.covers_metric("non-GHG", "hectares")
    assert not hectares.covers_metric("non-GHG", "MWh")
    assert not hectares.covers_metric("GHG", None)


def test_the_definition_of_the_approach_goes_before_that_of_the_authorization() -> None:
    """One OIMP definition per cooperative approach (4/CMA.6 para 15)."""
    by_use = FirstTransferDefinition.USE_OR_CANCELLATION
    with_definition = replace(APPROACH, oimp_first_transfer_definition=by_use)
    assert definition_in_force(AUTHORIZATION, with_definition) is by_use
    assert definition_in_force(AUTHORIZATION, APPROACH) is FirstTransferDefinition.ISSUANCE
    assert definition_in_force(AUTHORIZATION, None) is FirstTransferDefinition.ISSUANCE


@pytest.mark.parametrize(
    ("party", "year", "found"),
    [
        ("CHE", 2021, 0),
        ("CHE", 2031, None),
        ("GHA", 2025, 1),
        ("GHA", 2026, 2),
        ("THA", 2025, None),
    ],
)
def test_an_ndc_period_is_found_by_party_and_year(party: str, year: int, found: int | None) -> None:
    """Both end years belong to the period."""
    expected = None if found is None else APPROACH.ndc_periods[found]
    assert APPROACH.ndc_period(party, year) is expected


def test_the_cap_may_be_met_but_not_passed() -> None:
    """First transferred and in flight count together, to the last unit."""
    usage = AuthorizationUsage(first_transferred=600, reserved=300)
    assert quantity_left(AUTHORIZATION, usage) == 100
    assert not exceeds_cap(AUTHORIZATION, usage, 100)
    assert exceeds_cap(AUTHORIZATION, usage, 101)


def test_without_a_cap_nothing_exceeds_it() -> None:
    """A missing quantity is no limit (4/CMA.6 para 5(h): if applicable)."""
    uncapped = replace(AUTHORIZATION, quantity_max=None)
    assert quantity_left(uncapped, AuthorizationUsage(10**18)) is None
    assert not exceeds_cap(uncapped, AuthorizationUsage(10**18), 10**18)


def test_a_cap_lowered_below_its_usage_leaves_less_than_nothing() -> None:
    """The shortfall is told, and not one unit more is let through."""
    usage = AuthorizationUsage(1200)
    assert quantity_left(AUTHORIZATION, usage) == -200
    assert exceeds_cap(AUTHORIZATION, usage, 1)


@given(quantities=st.lists(st.tuples(st.integers(1, 10**6), st.booleans())))
def test_usage_counts_each_proposal_once(quantities: list[tuple[int, bool]]) -> None:
    """Completed proposals end as first transferred, the others leave no trace."""
    usage = AuthorizationUsage()
    for quantity, _ in quantities:
        usage = usage.proposed(quantity)
    assert usage.total == usage.reserved == sum(quantity for quantity, _ in quantities)
    for quantity, is_completed in quantities:
        usage = usage.completed(quantity) if is_completed else usage.released(quantity)
    assert usage.reserved == 0
    assert usage.total == sum(quantity for quantity, is_completed in quantities if is_completed)


def test_what_was_never_counted_cannot_be_given_back() -> None:
    """A release without a proposal is a defect, not a credit."""
    with pytest.raises(ValueError, match="below zero"):
        AuthorizationUsage(10, 5).released(6)
    assert AuthorizationUsage(10, 5).recorded(7) == AuthorizationUsage(17, 5)
