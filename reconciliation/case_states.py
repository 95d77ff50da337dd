"""Where a case stands, what may be done with it, and by whom: one table, and no other way.

    open -> acknowledged -> being corrected -> awaiting re-run -> closed -> open again

1. Administrators work on a case; its registry explains it and asks for a new comparison; a session
   alone finds its serials again or finds them clean. So nobody closes a case: agreement does.
2. A case closes from wherever it stands: who corrected what is not asked when both books agree.
3. Found again after a re-run, it goes back to acknowledged: the correction has yet to be made.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    BEING_CORRECTED = "being_corrected"
    AWAITING_RERUN = "awaiting_rerun"
    CLOSED = "closed"


class CaseInput(StrEnum):
    """What happens to a case; each leaves an event of this name."""

    ACKNOWLEDGE = "acknowledge"
    BEGIN_CORRECTION = "begin_correction"
    COMPENSATE = "compensate"
    ASK_RERUN = "ask_rerun"
    ASSIGN = "assign"
    SET_DUE = "set_due"
    NOTE = "note"
    EXPLAIN = "explain"
    FIND_AGAIN = "find_again"
    FIND_CLEAN = "find_clean"


class Who(StrEnum):
    """Who may do something with a case."""

    ADMINISTRATOR = "administrator"
    REGISTRY = "registry"
    SESSION = "session"


class CaseInputNotAllowedError(ValueError):
    """What was to be done with a case is not possible as it stands; says what is."""


IS_OPEN: Final = frozenset(CaseState) - {CaseState.CLOSED}
"""The states in which a case's serials are frozen."""

BY: Final[Mapping[CaseInput, frozenset[Who]]] = MappingProxyType(
    {
        CaseInput.ACKNOWLEDGE: frozenset({Who.ADMINISTRATOR}),
        CaseInput.BEGIN_CORRECTION: frozenset({Who.ADMINISTRATOR}),
        CaseInput.COMPENSATE: frozenset({Who.ADMINISTRATOR}),
        CaseInput.ASK_RERUN: frozenset({Who.ADMINISTRATOR, Who.REGISTRY}),
        CaseInput.ASSIGN: frozenset({Who.ADMINISTRATOR}),
        CaseInput.SET_DUE: frozenset({Who.ADMINISTRATOR}),
        CaseInput.NOTE: frozenset({Who.ADMINISTRATOR}),
        CaseInput.EXPLAIN: frozenset({Who.REGISTRY}),
        CaseInput.FIND_AGAIN: frozenset({Who.SESSION}),
        CaseInput.FIND_CLEAN: frozenset({Who.SESSION}),
    }
)
"""Who may do what."""


def _leads(
    input_: CaseInput, to: CaseState | None, *from_: CaseState
) -> dict[tuple[CaseState, CaseInput], CaseState]:
    """Return the rows of an input; it stays where it is when it leads nowhere (None)."""
    return {(state, input_): state if to is None else to for state in from_}


TRANSITIONS: Final[Mapping[tuple[CaseState, CaseInput], CaseState]] = MappingProxyType(
    {
        **_leads(CaseInput.ACKNOWLEDGE, CaseState.ACKNOWLEDGED, CaseState.OPEN),
        **_leads(
            CaseInput.BEGIN_CORRECTION,
            CaseState.BEING_CORRECTED,
            CaseState.OPEN,
            CaseState.ACKNOWLEDGED,
            CaseState.AWAITING_RERUN,
        ),
        **_leads(CaseInput.COMPENSATE, CaseState.BEING_CORRECTED, *IS_OPEN),
        **_leads(CaseInput.ASK_RERUN, CaseState.AWAITING_RERUN, *IS_OPEN),
        **_leads(CaseInput.ASSIGN, None, *IS_OPEN),
        **_leads(CaseInput.SET_DUE, None, *IS_OPEN),
        **_leads(CaseInput.NOTE, None, *CaseState),
        **_leads(CaseInput.EXPLAIN, None, *CaseState),
        **_leads(CaseInput.FIND_AGAIN, None, *IS_OPEN),
        (CaseState.AWAITING_RERUN, CaseInput.FIND_AGAIN): CaseState.ACKNOWLEDGED,
        (CaseState.CLOSED, CaseInput.FIND_AGAIN): CaseState.OPEN,
        **_leads(CaseInput.FIND_CLEAN, CaseState.CLOSED, *IS_OPEN),
    }
)
"""What each input makes of each state; what is not there is not possible."""


def possible(state: CaseState, who: Who) -> list[CaseInput]:
    """Return what somebody may do with a case that stands so, in the order of the inputs."""
    return [one for one in CaseInput if (state, one) in TRANSITIONS and who in BY[one]]


def next_state(state: CaseState, input_: CaseInput, who: Who) -> CaseState:
    """Return the state that follows. Raises CaseInputNotAllowedError."""
    after = TRANSITIONS.get((state, input_))
    if after is None or who not in BY[input_]:
        others = possible(state, who)
        instead = f"possible now: {in_words(others)}" if others else "nothing is possible now"
        why = (
            f"that is for the {' or the '.join(sorted(BY[input_]))}"
            if who not in BY[input_]
            else f"the case is {in_words([state])}"
        )
        raise CaseInputNotAllowedError(
            f"{in_words([input_])} cannot be done by the {who}: {why}; {instead}"
        )
    return after


def in_words(names: Iterable[StrEnum]) -> str:
    """Return names as a person reads them."""
    return ", ".join(str(name).replace("_", " ") for name in names)
