"""3xxx: the message against itself and the code lists."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.content import schema_findings
from hub.checks.decision import examine
from hub.international_registry.units import SERIAL_MAX
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.blocks import Block, BlockRange, UnderlyingUnit
from message_schemas.messages import queries, records
from message_schemas.validation import SchemaError
from tests.hub.checks.test_participants import between_accounts
from tests.hub.checks.worlds import (
    APPROACH,
    ISSUANCE,
    TRANSFER,
    Row,
    Sent,
    a64_block,
    acknowledgement,
    approach_record,
    authorization_record,
    block,
    cancel,
    context,
    entity_record,
    first_transfer,
    found,
    held,
    hold_true,
    issuance_notice,
    passes,
    proposal,
    rejection,
    sent,
    use,
    world,
)

IN_FLIGHT = {"THA01-1": TRANSFER}
RANGE = BlockRange("CA0001", "THA01", "THA", 2022, 1, 10)


def answered(**changes: Any) -> Callable[[], Sent]:
    """Return an acceptance of the transfer in flight, with changes."""
    return lambda: sent(acknowledgement(**changes), world(transfers=IN_FLIGHT))


def using(**changes: Any) -> Callable[[], Sent]:
    """Return a use of units held, with changes."""
    return lambda: sent(use(**changes), world(held(1, 100)))


def recorded(**changes: Any) -> Callable[[], Sent]:
    """Return an authorization record, with changes."""
    return lambda: sent(authorization_record(**changes))


def proposed(*blocks: Block, **changes: Any) -> Callable[[], Sent]:
    """Return a proposal with these blocks."""
    return lambda: sent(proposal(*blocks, **changes))


def asked(**changes: Any) -> Callable[[], Sent]:
    """Return a history query."""
    return lambda: sent(queries.HistoryQuery(items_max=10, **changes), world(transfers=IN_FLIGHT))


def inside(acquiring_account: str) -> Sent:
    """Return a transfer between two accounts of the international registry."""
    accounts = {"transferring_account": "ACC-1", "acquiring_account": acquiring_account}
    body = proposal(transfer_id="XIR01-1", action="transfer", **accounts)
    return sent(body, between_accounts(), "XIR01", "XIR01")


def of_issuance(**changes: Any) -> Sent:
    """Return a share of proceeds of the known issuance."""
    fields = {"kind": "sop_adaptation", "acquiring_account": "FUND", "issuance_id": "XMR01-7"}
    body = first_transfer(a64_block(1, 50), **(fields | changes))
    return sent(body, world(issuances={"XMR01-7": ISSUANCE}))


PERIOD = records.NdcPeriod("CHE", 2021, 2030)

ROWS = [
    passes(Code.CODE_NOT_IN_LIST, "all listed", proposed(action_subtype="Not yet defined")),
    found(Code.CODE_NOT_IN_LIST, "purpose", proposed(purpose="NDCs")),
    found(Code.CODE_NOT_IN_LIST, "action subtype", proposed(action_subtype="gift")),
    found(Code.CODE_NOT_IN_LIST, "metric", proposed(block(metric="ghg"))),
    found(Code.CODE_NOT_IN_LIST, "mitigation type", proposed(block(mitigation_type="Removal"))),
    found(Code.CODE_NOT_IN_LIST, "sector", proposed(block(sector="Transport"))),
    found(Code.CODE_NOT_IN_LIST, "activity type", proposed(block(activity_type="Buses"))),
    found(
        Code.CODE_NOT_IN_LIST,
        "underlying registry",
        proposed(block(underlying_unit=UnderlyingUnit("NONE", "1", "100"))),
    ),
    passes(
        Code.CODE_NOT_IN_LIST,
        "a listed underlying registry",
        proposed(block(underlying_unit=UnderlyingUnit("T-VER", "1", "100"))),
    ),
    found(Code.CODE_NOT_IN_LIST, "authorized purposes", recorded(purposes="everything")),
    found(Code.CODE_NOT_IN_LIST, "an authorized sector", recorded(sectors=("Trains",))),
    found(Code.CODE_NOT_IN_LIST, "an authorized Party", recorded(authorized_parties=("XXQ",))),
    found(
        Code.CODE_NOT_IN_LIST,
        "a participating Party",
        lambda: sent(approach_record(participating_parties=("THA", "XXQ"))),
    ),
    found(
        Code.CODE_NOT_IN_LIST,
        "a country of incorporation",
        lambda: sent(entity_record(country_of_incorporation="XXQ")),
    ),
    passes(Code.BLOCKS_OVERLAP_IN_MESSAGE, "touching", proposed(block(1, 50), block(51, 100))),
    found(Code.BLOCKS_OVERLAP_IN_MESSAGE, "by one", proposed(block(1, 50), block(50, 100))),
    found(Code.BLOCKS_OVERLAP_IN_MESSAGE, "the same twice", proposed(block(1, 9), block(1, 9))),
    found(
        Code.BLOCKS_OVERLAP_IN_MESSAGE,
        "a block inside an earlier one that is not its neighbour",
        proposed(block(1, 100), block(20, 30), block(40, 50)),
    ),
    passes(
        Code.BLOCKS_OVERLAP_IN_MESSAGE,
        "the same serials of another vintage",
        proposed(block(1, 50), block(1, 50, vintage=2023)),
    ),
    passes(Code.QUANTITY_NOT_SUM, "the sum", proposed(block(1, 2), block(3, 5), quantity=5)),
    found(Code.QUANTITY_NOT_SUM, "one more", proposed(block(1, 5), quantity=6)),
    found(Code.QUANTITY_NOT_SUM, "one less", proposed(block(1, 5), quantity=4)),
    found(
        Code.IDENTIFIER_INCONSISTENT,
        "a block of another approach",
        proposed(block(), block(1, 1, cooperative_approach="CA0002")),
    ),
    passes(Code.IDENTIFIER_INCONSISTENT, "the approach of the message", proposed(block())),
    passes(Code.IDENTIFIER_INCONSISTENT, "all of the issuance", of_issuance),
    found(
        Code.IDENTIFIER_INCONSISTENT,
        "another activity than the issuance's",
        lambda: of_issuance(activity_id="A64-2"),
    ),
    found(
        Code.IDENTIFIER_INCONSISTENT,
        "another vintage than the issuance's",
        lambda: of_issuance(blocks=(a64_block(1, 50, vintage=2023),)),
    ),
    passes(Code.SERIAL_RANGE_REVERSED, "one serial", proposed(block(5, 5))),
    passes(
        Code.SERIAL_RANGE_REVERSED,
        "the last serial there is",
        proposed(block(SERIAL_MAX, SERIAL_MAX)),
    ),
    found(Code.SERIAL_RANGE_REVERSED, "reversed", proposed(block(5, 4, quantity=1))),
    found(Code.SERIAL_RANGE_REVERSED, "from zero", proposed(block(0, 4))),
    found(
        Code.SERIAL_RANGE_REVERSED,
        "beyond the last serial there is",
        proposed(block(SERIAL_MAX, SERIAL_MAX + 1)),
    ),
    found(
        Code.SERIAL_RANGE_REVERSED, "in a history query", asked(range=replace(RANGE, last_serial=0))
    ),
    passes(Code.SERIAL_RANGE_REVERSED, "a history query in order", asked(range=RANGE)),
    passes(Code.ID_PREFIX_NOT_SENDER, "own prefix", proposed()),
    found(
        Code.ID_PREFIX_NOT_SENDER,
        "another's",
        lambda: sent(proposal(transfer_id="CHE01-1"), sender="THA01"),
    ),
    found(
        Code.ID_PREFIX_NOT_SENDER,
        "of the first transfer",
        lambda: sent(first_transfer(first_transfer_id="THA01-1")),
    ),
    passes(Code.QUANTITY_NOT_RANGE, "that of the serials", proposed(block(11, 20))),
    found(Code.QUANTITY_NOT_RANGE, "one more", proposed(block(11, 20, quantity=11))),
    found(
        Code.QUANTITY_NOT_RANGE,
        "in another metric too",
        proposed(block(11, 20, quantity=9, metric="non-GHG", non_ghg_metric="MWh")),
    ),
    passes(Code.CONDITIONAL_FIELD_MISSING, "an acceptance without reasons", answered()),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "an acceptance with reasons",
        answered(reasons=rejection().reasons),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING, "a rejection without reasons", answered(decision="reject")
    ),
    passes(
        Code.CONDITIONAL_FIELD_MISSING,
        "a rejection with reasons",
        answered(decision="reject", reasons=rejection().reasons),
    ),
    passes(Code.CONDITIONAL_FIELD_MISSING, "a use towards an NDC with its year", using()),
    found(Code.CONDITIONAL_FIELD_MISSING, "a use without year", using(calendar_year=None)),
    found(Code.CONDITIONAL_FIELD_MISSING, "a use for IMP with a year", using(purpose="IMP")),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "a use towards an NDC with an OIMP purpose",
        using(oimp_purpose="CORSIA"),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "a cancellation for OIMP without saying which",
        lambda: sent(cancel(kind="oimp"), world(held(1, 100))),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "a voluntary cancellation with an OIMP purpose",
        lambda: sent(cancel(oimp_purpose="CORSIA"), world(held(1, 100))),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "a share of proceeds of no issuance",
        lambda: of_issuance(issuance_id=None),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "units forwarded past the shares, of no issuance",
        lambda: sent(first_transfer(issuance_id=None)),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "an exemption without its ground",
        lambda: sent(issuance_notice(sop_exempt=True)),
    ),
    passes(
        Code.CONDITIONAL_FIELD_MISSING,
        "an exemption with its ground",
        lambda: sent(issuance_notice(sop_exempt=True, sop_exemption="LDC", sop_quantity=0)),
    ),
    found(Code.CONDITIONAL_FIELD_MISSING, "OIMP without saying which", recorded(purposes="OIMP")),
    passes(
        Code.CONDITIONAL_FIELD_MISSING,
        "OIMP with the definition of its approach",
        recorded(purposes="OIMP", oimp_authorized="CORSIA"),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "OIMP with no definition anywhere",
        lambda: sent(
            authorization_record(purposes="OIMP", oimp_authorized="CORSIA"),
            world(approaches={"CA0001": replace(APPROACH, oimp_first_transfer_definition=None)}),
        ),
    ),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "NDC with an OIMP",
        recorded(oimp_authorized="CORSIA"),
    ),
    found(Code.CONDITIONAL_FIELD_MISSING, "a history of nothing", asked()),
    found(
        Code.CONDITIONAL_FIELD_MISSING,
        "a history of two",
        asked(transfer_id="THA01-1", range=RANGE),
    ),
    passes(Code.CONDITIONAL_FIELD_MISSING, "a history of one", asked(transfer_id="THA01-1")),
    passes(Code.ACCOUNTS_EQUAL, "two accounts", lambda: inside("ACC-2")),
    found(Code.ACCOUNTS_EQUAL, "one account", lambda: inside("ACC-1")),
    passes(
        Code.ACCOUNTS_EQUAL,
        "the same name in two registries",
        proposed(transferring_account="A", acquiring_account="A"),
    ),
    passes(Code.SCHEMA_VIOLATED, "one year long", recorded(vintage_first=2025, vintage_last=2025)),
    found(Code.SCHEMA_VIOLATED, "vintages", recorded(vintage_first=2026, vintage_last=2025)),
    found(Code.SCHEMA_VIOLATED, "days", recorded(valid_until="2026-10-31")),
    found(Code.SCHEMA_VIOLATED, "two purposes of one use", using(purpose="NDC and OIMP")),
    found(
        Code.SCHEMA_VIOLATED,
        "overlapping NDC periods",
        lambda: sent(approach_record(ndc_periods=(PERIOD, replace(PERIOD, first_year=2030)))),
    ),
    found(
        Code.SCHEMA_VIOLATED,
        "an NDC period of a stranger",
        lambda: sent(approach_record(ndc_periods=(replace(PERIOD, party="GHA"),))),
    ),
    passes(
        Code.SCHEMA_VIOLATED,
        "NDC periods one after the other",
        lambda: sent(approach_record(ndc_periods=(PERIOD, records.NdcPeriod("CHE", 2031, 2035)))),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_content_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_a_type_or_version_that_nobody_knows_is_refused() -> None:
    """What the catalogue does not have is answered with a code, not with a crash."""
    given = context(proposal(), "THA01", "CHE01")
    unknown = examine(replace(given, type="transfer.gift"), world())
    newer = examine(replace(given, version=2), world())
    assert [finding.code for finding in unknown] == [Code.MESSAGE_TYPE_UNKNOWN]
    assert [finding.code for finding in newer] == [Code.MESSAGE_VERSION_NOT_SUPPORTED]


def test_each_schema_error_becomes_a_finding_with_its_path() -> None:
    """The validator's words and places reach the peer unchanged."""
    findings = schema_findings(
        [SchemaError("/quantity", "is a string", "type"), SchemaError("", "no", "x")]
    )
    assert {finding.code for finding in findings} == {Code.SCHEMA_VIOLATED}
    assert [finding.path for finding in findings] == ["/quantity", ""]
    assert "is a string" in findings[0].detail


def test_an_overlap_names_the_serials_and_both_blocks() -> None:
    """The peer's operator sees which blocks meet, and in which units."""
    findings = sent(proposal(block(1, 50), block(41, 60))).findings()
    (overlap,) = [f for f in findings if f.code is Code.BLOCKS_OVERLAP_IN_MESSAGE]
    assert overlap.path == "/blocks/1"
    assert "Block 0" in overlap.detail
    assert [(part.first, part.last) for part in overlap.ranges] == [(41, 50)]
