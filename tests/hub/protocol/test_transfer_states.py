"""A transfer moves by its table and in no other way."""

import pytest

from hub.protocol.transfer_states import (
    FINAL_STATES,
    TRANSITIONS,
    InputNotAllowedError,
    TransferInput,
    TransferState,
    next_state,
)


@pytest.mark.parametrize("input_", TransferInput)
@pytest.mark.parametrize("state", TransferState)
def test_only_the_table_moves_a_transfer(state: TransferState, input_: TransferInput) -> None:
    """Each pair is either a row of the table or refused, with nothing between."""
    if (state, input_) in TRANSITIONS:
        assert next_state(state, input_) is TRANSITIONS[state, input_]
    else:
        with pytest.raises(InputNotAllowedError, match=f"{input_} while {state}"):
            next_state(state, input_)


def test_a_proposed_transfer_has_an_exit_for_every_input() -> None:
    """Whatever happens to a transfer in flight ends it, and each way ends it differently."""
    ends = {next_state(TransferState.PROPOSED, input_) for input_ in TransferInput}
    assert ends == FINAL_STATES
    assert len(ends) == len(TransferInput)


def test_what_is_final_stays_final_for_ever() -> None:
    """An accepted transfer can be neither cancelled nor expired; nothing leaves a final state."""
    assert frozenset(TransferState) - {TransferState.PROPOSED} == FINAL_STATES
    assert not {state for state, _ in TRANSITIONS} & FINAL_STATES


def test_the_table_cannot_be_changed_at_run_time() -> None:
    """No other module can add a row."""
    with pytest.raises(TypeError):
        TRANSITIONS[TransferState.EXPIRED, TransferInput.ACCEPTED] = (  # type: ignore[index]  # that it is refused is what we test
            TransferState.COMPLETED
        )
