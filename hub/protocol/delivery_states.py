"""The states of a delivery, from its recipient's mailbox: one table, as for transfers.

    (items wait) -> waiting
    waiting   --stored and signed-->  in flight
    in flight --acknowledged-->       acknowledged
    in flight --attempt failed-->     backing off
    backing off --wait is over-->     in flight       (the same bytes, the same sequence)
    backing off --sign of life-->     in flight
    backing off --acknowledged-->     acknowledged    (a late acknowledgement wins)
    acknowledged --resend asked-->    in flight       (the same bytes again)

No state is final without the acknowledgement, and none is left without an exit.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    IN_FLIGHT = "in flight"
    BACKING_OFF = "backing off"
    ACKNOWLEDGED = "acknowledged"


class DeliveryInput(StrEnum):
    """What can happen to a delivery."""

    STORED = "stored"
    ATTEMPT_FAILED = "attempt failed"
    WAIT_OVER = "wait over"
    SIGN_OF_LIFE = "sign of life"
    ACKNOWLEDGED = "acknowledged"
    RESEND_ASKED = "resend asked"


class DeliveryInputNotAllowedError(ValueError):
    """No row of the table allows this input in this state."""


TRANSITIONS: Final[Mapping[tuple[DeliveryState, DeliveryInput], DeliveryState]] = MappingProxyType(
    {
        (DeliveryState.WAITING, DeliveryInput.STORED): DeliveryState.IN_FLIGHT,
        (DeliveryState.IN_FLIGHT, DeliveryInput.ACKNOWLEDGED): DeliveryState.ACKNOWLEDGED,
        (DeliveryState.IN_FLIGHT, DeliveryInput.ATTEMPT_FAILED): DeliveryState.BACKING_OFF,
        (DeliveryState.BACKING_OFF, DeliveryInput.WAIT_OVER): DeliveryState.IN_FLIGHT,
        (DeliveryState.BACKING_OFF, DeliveryInput.SIGN_OF_LIFE): DeliveryState.IN_FLIGHT,
        (DeliveryState.BACKING_OFF, DeliveryInput.ACKNOWLEDGED): DeliveryState.ACKNOWLEDGED,
        (DeliveryState.ACKNOWLEDGED, DeliveryInput.RESEND_ASKED): DeliveryState.IN_FLIGHT,
    }
)


def next_state(state: DeliveryState, input_: DeliveryInput) -> DeliveryState:
    """Return the state that follows, or raise DeliveryInputNotAllowedError."""
    try:
        return TRANSITIONS[state, input_]
    except KeyError:
        raise DeliveryInputNotAllowedError(f"{input_} while {state}") from None


def state_of(
    *, stored: bool, acknowledged: bool, failure_count: int, resend: bool = False
) -> DeliveryState:
    """Return a delivery's state from the facts the mailbox keeps about it."""
    if acknowledged and not resend:
        return DeliveryState.ACKNOWLEDGED
    if not stored:
        return DeliveryState.WAITING
    return DeliveryState.BACKING_OFF if failure_count else DeliveryState.IN_FLIGHT
