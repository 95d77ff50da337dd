"""A transfer's states: one table, from which the diagram and the exhaustive tests are made.

    (checks passed)  ->  proposed
    proposed  --accepted-->        completed   the hub's commit is the point of finality
    proposed  --declined-->        rejected
    proposed  --withdrawn-->       cancelled
    proposed  --deadline passed--> expired

A refused proposal never enters the table. The four states on the right are final: nothing leaves
them, so an accepted transfer can be neither cancelled nor expired (facts: Mojaloop and the Kyoto
24-hour clean-up both lost transfers in that race).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class TransferState(StrEnum):
    """Where a transfer stands in the central ledger."""

    PROPOSED = "proposed"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class TransferInput(StrEnum):
    """What can happen to a transfer after it was proposed."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    DEADLINE_PASSED = "deadline passed"


class InputNotAllowedError(ValueError):
    """No row of the table allows this input in this state."""


TRANSITIONS: Final[Mapping[tuple[TransferState, TransferInput], TransferState]] = MappingProxyType(
    {
        (TransferState.PROPOSED, TransferInput.ACCEPTED): TransferState.COMPLETED,
        (TransferState.PROPOSED, TransferInput.DECLINED): TransferState.REJECTED,
        (TransferState.PROPOSED, TransferInput.WITHDRAWN): TransferState.CANCELLED,
        (TransferState.PROPOSED, TransferInput.DEADLINE_PASSED): TransferState.EXPIRED,
    }
)

FINAL_STATES: Final = frozenset(TransferState) - {state for state, _ in TRANSITIONS}


def next_state(state: TransferState, input_: TransferInput) -> TransferState:
    """Return the state that follows, or raise InputNotAllowedError if no row allows the input."""
    try:
        return TRANSITIONS[state, input_]
    except KeyError:
        raise InputNotAllowedError(f"{input_} while {state}") from None
