"""Where a case stands: only the table moves it, and only who may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.case_states import (
    BY,
    IS_OPEN,
    TRANSITIONS,
    CaseInput,
    CaseInputNotAllowedError,
    CaseState,
    Who,
    next_state,
    possible,
)


@pytest.mark.parametrize("who", Who)
@pytest.mark.parametrize("input_", CaseInput)
@pytest.mark.parametrize("state", CaseState)
def test_only_the_table_moves_a_case(state: CaseState, input_: CaseInput, who: Who) -> None:
    """Each pair is a row for those who may, or refused with what is possible instead."""
    if (state, input_) in TRANSITIONS and who in BY[input_]:
        assert next_state(state, input_, who) is TRANSITIONS[state, input_]
        assert input_ in possible(state, who)
        return
    with pytest.raises(CaseInputNotAllowedError, match=str(input_).replace("_", " ")) as caught:
        next_state(state, input_, who)
    assert input_ not in possible(state, who)
    for other in possible(state, who):
        assert str(other).replace("_", " ") in str(caught.value)


def test_a_session_alone_closes_and_reopens() -> None:
    """Nobody can close a case by hand, nor open a closed one."""
    across = {
        input_
        for (state, input_), after in TRANSITIONS.items()
        if (state in IS_OPEN) is not (after in IS_OPEN)
    }
    assert across == {CaseInput.FIND_AGAIN, CaseInput.FIND_CLEAN}
    assert all(BY[input_] == {Who.SESSION} for input_ in across)


@given(steps=st.lists(st.tuples(st.sampled_from(CaseInput), st.sampled_from(Who)), max_size=40))
def test_whatever_is_done_a_clean_session_closes(steps: list[tuple[CaseInput, Who]]) -> None:
    """No way leads into a state that agreement does not end; closed comes of that alone."""
    state = CaseState.OPEN
    for input_, who in steps:
        before = state
        if input_ in possible(state, who):
            state = next_state(state, input_, who)
        if state is CaseState.CLOSED and before is not CaseState.CLOSED:
            assert input_ is CaseInput.FIND_CLEAN
    if state in IS_OPEN:
        assert next_state(state, CaseInput.FIND_CLEAN, Who.SESSION) is CaseState.CLOSED


def test_the_usual_way_of_a_case() -> None:
    """Opened, seen, corrected, compared again without success, then with it, and found again."""
    state = CaseState.OPEN
    for input_, who, expected in (
        (CaseInput.ACKNOWLEDGE, Who.ADMINISTRATOR, CaseState.ACKNOWLEDGED),
        (CaseInput.ASSIGN, Who.ADMINISTRATOR, CaseState.ACKNOWLEDGED),
        (CaseInput.EXPLAIN, Who.REGISTRY, CaseState.ACKNOWLEDGED),
        (CaseInput.BEGIN_CORRECTION, Who.ADMINISTRATOR, CaseState.BEING_CORRECTED),
        (CaseInput.FIND_AGAIN, Who.SESSION, CaseState.BEING_CORRECTED),
        (CaseInput.ASK_RERUN, Who.REGISTRY, CaseState.AWAITING_RERUN),
        (CaseInput.FIND_AGAIN, Who.SESSION, CaseState.ACKNOWLEDGED),
        (CaseInput.COMPENSATE, Who.ADMINISTRATOR, CaseState.BEING_CORRECTED),
        (CaseInput.ASK_RERUN, Who.ADMINISTRATOR, CaseState.AWAITING_RERUN),
        (CaseInput.FIND_CLEAN, Who.SESSION, CaseState.CLOSED),
        (CaseInput.NOTE, Who.ADMINISTRATOR, CaseState.CLOSED),
        (CaseInput.FIND_AGAIN, Who.SESSION, CaseState.OPEN),
    ):
        state = next_state(state, input_, who)
        assert state is expected
