"""Tests of the first-transfer table, row by row and as a whole."""

from itertools import product

import pytest

from hub.international_registry.authorizations import FirstTransferDefinition as Definition
from hub.international_registry.first_transfer import (
    event_of_accepted,
    event_of_adaptation_fund,
    event_of_cancellation,
    event_of_introduction,
    event_of_move,
    event_of_omge,
    event_of_transfer,
    event_of_use,
    expected_action,
    expected_actions,
)
from hub.international_registry.units import FirstTransferEvent as Event

PURPOSES = ("NDC", "OIMP", "IMP", "OP", "NDC and OIMP", "NDC and IMP", "NDC and OP")
DEFINITIONS = (None, *Definition)
AUTH, ISSUE, END = Definition

# purposes, definition: first met, moved abroad, used, cancelled
ROWS: list[
    tuple[str, Definition | None, Event | None, Event | None, Event | None, Event | None]
] = [
    ("NDC", None, None, Event.INTERNATIONAL_TRANSFER, None, None),
    ("NDC", AUTH, None, Event.INTERNATIONAL_TRANSFER, None, None),
    (
        "OIMP",
        AUTH,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
    ),
    ("OIMP", ISSUE, Event.ISSUANCE, Event.ISSUANCE, Event.ISSUANCE, Event.ISSUANCE),
    ("OIMP", END, None, None, Event.USE, Event.CANCELLATION),
    ("OIMP", None, None, Event.INTERNATIONAL_TRANSFER, Event.USE, Event.CANCELLATION),
    ("IMP", END, None, None, Event.USE, Event.CANCELLATION),
    (
        "NDC and OIMP",
        AUTH,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
        Event.AUTHORIZATION,
    ),
    ("NDC and OIMP", ISSUE, Event.ISSUANCE, Event.ISSUANCE, Event.ISSUANCE, Event.ISSUANCE),
    ("NDC and OIMP", END, None, Event.INTERNATIONAL_TRANSFER, Event.USE, Event.CANCELLATION),
]


@pytest.mark.parametrize(("purposes", "definition", "met", "moved", "used", "cancelled"), ROWS)
def test_the_table_is_that_of_the_decisions(
    purposes: str,
    definition: Definition | None,
    met: Event | None,
    moved: Event | None,
    used: Event | None,
    cancelled: Event | None,
) -> None:
    """2/CMA.3 a.2 for one purpose; 4/CMA.6 para 12, the earlier of the two, for both."""
    assert event_of_introduction(purposes, definition) is met
    assert event_of_move(None, purposes, definition) is moved
    assert event_of_use(None, purposes, definition) is used
    assert event_of_cancellation(None, purposes, definition) is cancelled


@pytest.mark.parametrize(
    ("already", "purposes", "definition"), list(product(Event, PURPOSES, DEFINITIONS))
)
def test_a_unit_is_first_transferred_once(
    already: Event, purposes: str, definition: Definition | None
) -> None:
    """Whatever is first transferred has no second first transfer, by no event."""
    assert event_of_move(already, purposes, definition) is None
    assert event_of_use(already, purposes, definition) is None
    assert event_of_cancellation(already, purposes, definition) is None
    assert event_of_omge(already) is None
    assert event_of_adaptation_fund(already) is None
    assert expected_action(already, purposes, definition) == "transfer"


def test_omge_and_adaptation_fund_are_first_transfers_of_authorized_units() -> None:
    """4/CMA.6 paras 16 and 17; units not authorized cannot be first transferred (para 11)."""
    assert event_of_omge(None) is Event.OMGE
    assert event_of_adaptation_fund(None) is Event.ADAPTATION_FUND
    assert event_of_omge(None, authorized=False) is None
    assert event_of_adaptation_fund(None, authorized=False) is None


@pytest.mark.parametrize(
    ("purposes", "definition", "action"),
    [
        ("NDC", None, "first_transfer"),
        ("NDC and OIMP", END, "first_transfer"),
        ("NDC and OIMP", ISSUE, "transfer"),
        ("OIMP", AUTH, "transfer"),
        ("OIMP", END, "transfer"),
    ],
)
def test_the_first_move_is_typed_by_what_it_is(
    purposes: str, definition: Definition | None, action: str
) -> None:
    """Only a move that is the first transfer itself is typed so."""
    assert expected_action(None, purposes, definition) == action


@pytest.mark.parametrize("purposes", PURPOSES)
def test_a_move_within_a_party_is_no_first_international_transfer(purposes: str) -> None:
    """2/CMA.3 a.2(a) speaks of the first international transfer."""
    assert event_of_move(None, purposes, END, international=False) is None
    assert expected_action(None, purposes, END, international=False) == "transfer"


@pytest.mark.parametrize(
    ("purposes", "definition", "international", "to_fund"),
    list(product(PURPOSES, DEFINITIONS, (True, False), (True, False))),
)
def test_the_name_of_an_accepted_transfer_tells_its_event(
    purposes: str, definition: Definition | None, international: bool, to_fund: bool
) -> None:
    """Whatever name the table allows, completing under that name gives the table's event."""
    introduced = event_of_introduction(purposes, definition)
    where = {"international": international, "to_adaptation_fund": to_fund}
    event = event_of_transfer(None, purposes, definition, **where)
    for action in expected_actions(None, purposes, definition, **where):
        moved = event_of_accepted(introduced, action, to_adaptation_fund=to_fund)
        assert (introduced or moved) == event
    assert event_of_transfer(Event.ISSUANCE, purposes, definition, **where) is None


def test_a_move_inside_a_party_is_called_transfer() -> None:
    """Units authorized for NDCs stay not first transferred until they leave the Party."""
    assert expected_actions(None, "NDC", None, international=False) == {"transfer"}
    assert expected_actions(None, "NDC", None, to_adaptation_fund=True) == {
        "first_transfer",
        "transfer",
    }
