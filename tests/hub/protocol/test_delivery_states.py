"""A delivery moves by its table, and its state follows from what the mailbox keeps."""

from itertools import product

import pytest

from hub.protocol.delivery_states import (
    TRANSITIONS,
    DeliveryInput,
    DeliveryInputNotAllowedError,
    DeliveryState,
    next_state,
    state_of,
)


@pytest.mark.parametrize("input_", DeliveryInput)
@pytest.mark.parametrize("state", DeliveryState)
def test_only_the_table_moves_a_delivery(state: DeliveryState, input_: DeliveryInput) -> None:
    """Each pair is either a row of the table or refused, with nothing between."""
    if (state, input_) in TRANSITIONS:
        assert next_state(state, input_) is TRANSITIONS[state, input_]
    else:
        with pytest.raises(DeliveryInputNotAllowedError, match=f"{input_} while {state}"):
            next_state(state, input_)


def test_no_delivery_is_ever_stuck() -> None:
    """From every state acknowledgement can be reached: a delivery is never dropped."""
    for start in DeliveryState:
        reached, grown = {start}, True
        while grown:
            more = {after for (state, _), after in TRANSITIONS.items() if state in reached}
            grown = not more <= reached
            reached |= more
        assert DeliveryState.ACKNOWLEDGED in reached


def test_a_late_acknowledgement_ends_the_back_off() -> None:
    """A recipient that acknowledges while we wait to try again is believed."""
    after = next_state(DeliveryState.BACKING_OFF, DeliveryInput.ACKNOWLEDGED)
    assert after is DeliveryState.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("stored", "acknowledged", "failures", "resend"),
    list(product([False, True], [False, True], [0, 1, 9], [False, True])),
)
def test_the_state_follows_from_the_facts_kept(
    stored: bool, acknowledged: bool, failures: int, resend: bool
) -> None:
    """Acknowledged wins unless a resend was asked for; failures mean backing off."""
    state = state_of(
        stored=stored, acknowledged=acknowledged, failure_count=failures, resend=resend
    )
    if acknowledged and not resend:
        assert state is DeliveryState.ACKNOWLEDGED
    elif not stored:
        assert state is DeliveryState.WAITING
    else:
        backing_off = state is DeliveryState.BACKING_OFF
        assert state in (DeliveryState.BACKING_OFF, DeliveryState.IN_FLIGHT)
        assert backing_off == (failures > 0)
