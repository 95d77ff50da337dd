"""Which event is the first transfer of a unit: the table of 2/CMA.3 a.2 and 4/CMA.6 paras 11-17.

Authorized for NDC only      the first international transfer
Authorized for OIMP          as the Party specified: authorization, issuance, use or cancellation
Authorized for both          the earlier of the two
Cancelled for OMGE,
sent to the Adaptation Fund  that, unless first transferred before
Not authorized               never

Every function answers with the event that happens *now*, or None. A unit is first transferred once:
whoever already is gets None.

Two readings are ours. Units whose definition is authorization or issuance are first transferred
before they can move, so one met without the flag gets it at the next occasion, under its own event.
And where an authorization for OIMP was recorded without a definition, the earliest event that the
hub sees counts: an adjustment too early can be put right, one that never comes is a tonne twice.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from hub.international_registry.authorizations import FirstTransferDefinition
from hub.international_registry.purposes import includes_ndc, includes_other
from hub.international_registry.units import FirstTransferEvent

TransferAction = Literal["first_transfer", "transfer"]

_EVENT_BEFORE_ANY_MOVE: Final[Mapping[FirstTransferDefinition | None, FirstTransferEvent]] = (
    MappingProxyType(
        {
            FirstTransferDefinition.AUTHORIZATION: FirstTransferEvent.AUTHORIZATION,
            FirstTransferDefinition.ISSUANCE: FirstTransferEvent.ISSUANCE,
        }
    )
)


def event_of_introduction(
    purposes: str, definition: FirstTransferDefinition | None
) -> FirstTransferEvent | None:
    """Return the event by which units are first transferred when the ledger first meets them.

    Authorization and issuance come before any transfer, so they are the earlier of two.
    """
    return _EVENT_BEFORE_ANY_MOVE.get(definition) if includes_other(purposes) else None


def event_of_move(
    already: FirstTransferEvent | None,
    purposes: str,
    definition: FirstTransferDefinition | None,
    *,
    international: bool = True,
) -> FirstTransferEvent | None:
    """Return the event a move brings about.

    ``international`` is False for a move between accounts of one Party. Units authorized for OIMP
    alone, with use or cancellation as definition, move without being first transferred.
    """
    if already is not None:
        return None
    if (event := event_of_introduction(purposes, definition)) is not None:
        return event
    if not international:
        return None
    if includes_ndc(purposes) or definition is None:
        return FirstTransferEvent.INTERNATIONAL_TRANSFER
    return None


def event_of_use(
    already: FirstTransferEvent | None, purposes: str, definition: FirstTransferDefinition | None
) -> FirstTransferEvent | None:
    """Return the event a use brings about: the first transfer of units authorized for OIMP."""
    return _event_of_end(already, purposes, definition, FirstTransferEvent.USE)


def event_of_retirement(
    already: FirstTransferEvent | None, purposes: str, definition: FirstTransferDefinition | None
) -> FirstTransferEvent | None:
    """Return the event by which A6.4ERs retired for another Party's NDC were first transferred.

    They moved to that Party inside the mechanism registry, which tells of it with the retirement
    (7/CMA.4 annex I paras 36, 44).
    """
    return event_of_move(already, purposes, definition)


def event_of_cancellation(
    already: FirstTransferEvent | None, purposes: str, definition: FirstTransferDefinition | None
) -> FirstTransferEvent | None:
    """Return the event a cancellation brings about; one for OMGE has its own function."""
    return _event_of_end(already, purposes, definition, FirstTransferEvent.CANCELLATION)


def _event_of_end(
    already: FirstTransferEvent | None,
    purposes: str,
    definition: FirstTransferDefinition | None,
    event: FirstTransferEvent,
) -> FirstTransferEvent | None:
    if already is not None or not includes_other(purposes):
        return None
    return event_of_introduction(purposes, definition) or event


def event_of_omge(
    already: FirstTransferEvent | None, *, authorized: bool = True
) -> FirstTransferEvent | None:
    """Return the event of a cancellation for OMGE (4/CMA.6 para 17; para 11: if authorized)."""
    return FirstTransferEvent.OMGE if already is None and authorized else None


def event_of_adaptation_fund(
    already: FirstTransferEvent | None, *, authorized: bool = True
) -> FirstTransferEvent | None:
    """Return the event of a transfer to the Adaptation Fund (4/CMA.6 para 16; 7/CMA.4 I.39)."""
    return FirstTransferEvent.ADAPTATION_FUND if already is None and authorized else None


def event_of_transfer(
    already: FirstTransferEvent | None,
    purposes: str,
    definition: FirstTransferDefinition | None,
    *,
    international: bool = True,
    to_adaptation_fund: bool = False,
) -> FirstTransferEvent | None:
    """Return the event a transfer brings about, wherever it leads: the table for one transfer."""
    if already is None and to_adaptation_fund:
        introduced = event_of_introduction(purposes, definition)
        return introduced or event_of_adaptation_fund(already)
    return event_of_move(already, purposes, definition, international=international)


def expected_actions(
    already: FirstTransferEvent | None,
    purposes: str,
    definition: FirstTransferDefinition | None,
    *,
    international: bool = True,
    to_adaptation_fund: bool = False,
) -> frozenset[TransferAction]:
    """Return how such a transfer may be called: one name, to the Adaptation Fund either.

    4/CMA.6 para 16 makes it a first transfer, while the nomenclature lists it under Transfer.
    """
    if already is None and to_adaptation_fund:
        return frozenset({"first_transfer", "transfer"})
    one = expected_action(already, purposes, definition, international=international)
    return frozenset({one})


def event_of_accepted(
    already: FirstTransferEvent | None, action: str, *, to_adaptation_fund: bool
) -> FirstTransferEvent | None:
    """Return the event by which a unit of an accepted proposal is first transferred when it moves.

    What the table says was checked when the transfer was proposed, under the name ``action``. That
    name is kept, and the terms may change until the answer comes: so the name decides here, and
    what was counted when proposed is what is counted when completed or released.
    """
    if already is not None:
        return None
    if to_adaptation_fund:
        return FirstTransferEvent.ADAPTATION_FUND
    return FirstTransferEvent.INTERNATIONAL_TRANSFER if action == "first_transfer" else None


def expected_action(
    already: FirstTransferEvent | None,
    purposes: str,
    definition: FirstTransferDefinition | None,
    *,
    international: bool = True,
) -> TransferAction:
    """Return how a transfer of such units is to be typed: never two first transfers.

    Give None as ``already`` for units the ledger has not met; what their introduction brings about
    is taken into account.
    """
    event = event_of_move(already, purposes, definition, international=international)
    return "first_transfer" if event is FirstTransferEvent.INTERNATIONAL_TRANSFER else "transfer"
