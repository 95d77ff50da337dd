"""6xxx for records: who records what, and what a new version cannot do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.facts import Facts
from hub.international_registry.authorizations import (
    ApproachStatus,
    AuthorizationUsage,
    FirstTransferDefinition,
)
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.messages.records import NdcPeriod
from tests.hub.checks.worlds import (
    APPROACH,
    AUTHORIZATION,
    Row,
    Sent,
    approach_record,
    authorization_record,
    entity_record,
    found,
    hold_true,
    issuance_notice,
    passes,
    sent,
    world,
)

KEY = ("THA", "TH-2026-002")


def approach(**changes: Any) -> Facts:
    """Return a world whose cooperative approach is changed."""
    return world(approaches={"CA0001": replace(APPROACH, **changes)})


def second_version(
    usage: AuthorizationUsage, *, reaches: bool = False, **changes: Any
) -> Callable[[], Sent]:
    """Return a second version of an authorization whose first was used that much."""
    first = replace(
        AUTHORIZATION,
        authorization_id="TH-2026-002",
        changes_apply_to_first_transferred=reaches,
    )
    facts = world(authorization=(first,), usage={KEY: usage})
    return lambda: sent(authorization_record(**({"version": 2} | changes)), facts)


def second_of_approach(**changes: Any) -> Callable[[], Sent]:
    """Return the second version of the cooperative approach."""
    fields = {
        "cooperative_approach": "CA0001",
        "version": 2,
        "oimp_first_transfer_definition": "use_or_cancellation",
    }
    return lambda: sent(approach_record(**(fields | changes)))


USED, IN_FLIGHT, UNUSED = AuthorizationUsage(100), AuthorizationUsage(0, 100), AuthorizationUsage()
OIMP = {"purposes": "OIMP", "oimp_authorized": "CORSIA"}
CHE_PERIOD, THA_PERIOD = NdcPeriod("CHE", 2021, 2030), NdcPeriod("THA", 2021, 2030)
REACH = "changes_apply_to_first_transferred"

ROWS = [
    passes(Code.AUTHORIZING_PARTY_NOT_SENDER, "its own", lambda: sent(authorization_record())),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "another Party's authorization",
        lambda: sent(authorization_record(), sender="CHE01"),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "another Party's entity",
        lambda: sent(entity_record(), sender="CHE01"),
    ),
    passes(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "the international registry for its sections",
        lambda: sent(authorization_record(), sender="XIR01"),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "an approach of others",
        lambda: sent(approach_record(), sender="GHA01"),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "entering an approach by recording oneself",
        lambda: sent(
            second_of_approach(participating_parties=("CHE", "GHA", "THA"))().body,
            sender="GHA01",
        ),
    ),
    passes(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "admitting a Party",
        second_of_approach(participating_parties=("CHE", "GHA", "THA")),
    ),
    passes(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "another title and the own NDC periods",
        second_of_approach(
            title="Buses", ndc_periods=(CHE_PERIOD, replace(THA_PERIOD, last_year=2035))
        ),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "removing the other Party",
        second_of_approach(participating_parties=("THA",), ndc_periods=(THA_PERIOD,)),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "removing oneself",
        second_of_approach(participating_parties=("CHE",)),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "the other Party's NDC periods",
        second_of_approach(ndc_periods=(replace(CHE_PERIOD, first_year=2025), THA_PERIOD)),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "ending what two agreed on",
        second_of_approach(status="ended"),
    ),
    passes(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "the international registry ends it without a Party",
        lambda: sent(
            second_of_approach(status="ended", participating_parties=("CHE",))().body,
            sender="XIR01",
        ),
    ),
    found(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "the entity of another Party",
        lambda: sent(entity_record(entity_id="CHE-123", version=2)),
    ),
    passes(
        Code.AUTHORIZING_PARTY_NOT_SENDER,
        "the own entity again",
        lambda: sent(
            entity_record(entity_id="CHE-123", version=2, authorizing_party="CHE"), sender="CHE01"
        ),
    ),
    found(
        Code.COOPERATIVE_APPROACH_UNKNOWN,
        "an authorization",
        lambda: sent(authorization_record(), world(approaches={})),
    ),
    found(
        Code.COOPERATIVE_APPROACH_UNKNOWN,
        "an issuance",
        lambda: sent(issuance_notice(), world(approaches={})),
    ),
    found(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "an authorization",
        lambda: sent(authorization_record(), approach(status=ApproachStatus.ENDED)),
    ),
    passes(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "a revocation",
        lambda: sent(authorization_record(status="revoked"), approach(status=ApproachStatus.ENDED)),
    ),
    found(
        Code.PARTY_NOT_IN_COOPERATIVE_APPROACH,
        "an authorization",
        lambda: sent(authorization_record(), approach(participating_parties=("CHE", "GHA"))),
    ),
    found(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "the terms begin to reach back",
        second_version(USED, **{REACH: True}),
    ),
    found(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "likewise, in flight",
        second_version(IN_FLIGHT, **{REACH: True}),
    ),
    passes(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "likewise, nothing is transferred",
        second_version(UNUSED, **{REACH: True}),
    ),
    passes(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "the terms always reached back",
        second_version(USED, reaches=True, metric="non-GHG", non_ghg_metric="MWh"),
    ),
    found(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "a cap below what is transferred, where the terms reach back",
        second_version(USED, reaches=True, quantity_max=99),
    ),
    found(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "a cap below what is transferred",
        second_version(USED, quantity_max=99),
    ),
    passes(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "a cap of what is transferred",
        second_version(USED, quantity_max=100),
    ),
    found(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "another metric",
        second_version(USED, metric="non-GHG", non_ghg_metric="MWh"),
    ),
    passes(
        Code.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER,
        "a revocation, which leaves them alone",
        second_version(USED, status="revoked"),
    ),
    passes(
        Code.FIRST_TRANSFER_DEFINITION_DIFFERS,
        "that of the approach",
        lambda: sent(authorization_record(**OIMP, first_transfer_definition="use_or_cancellation")),
    ),
    found(
        Code.FIRST_TRANSFER_DEFINITION_DIFFERS,
        "another",
        lambda: sent(authorization_record(**OIMP, first_transfer_definition="issuance")),
    ),
    passes(
        Code.FIRST_TRANSFER_DEFINITION_DIFFERS,
        "the approach has none",
        lambda: sent(
            authorization_record(**OIMP, first_transfer_definition="issuance"),
            approach(oimp_first_transfer_definition=None),
        ),
    ),
    passes(Code.FIRST_TRANSFER_DEFINITION_DIFFERS, "kept", second_of_approach()),
    found(
        Code.FIRST_TRANSFER_DEFINITION_DIFFERS,
        "changed",
        second_of_approach(oimp_first_transfer_definition="issuance"),
    ),
    found(
        Code.FIRST_TRANSFER_DEFINITION_DIFFERS,
        "dropped",
        second_of_approach(oimp_first_transfer_definition=None),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_record_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_definitions_are_written_alike_in_messages_and_facts() -> None:
    """The comparison of a message with the record rests on one spelling."""
    assert {str(definition) for definition in FirstTransferDefinition} == {
        "authorization",
        "issuance",
        "use_or_cancellation",
    }
