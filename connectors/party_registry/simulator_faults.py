"""How a simulated peer misbehaves: the closed list, and a plan that a seed repeats.

Each moment (an envelope leaves, a push arrives, the hub asks about the book) draws one fault, or
none. The same seed and the same moments give the same faults, so a failing run is repeated by its
printed seed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["ANSWER_FAULTS", "PUSH_FAULTS", "SEND_FAULTS", "Fault", "FaultPlan", "Incident"]


class Fault(StrEnum):
    """What may go wrong on purpose."""

    # when an envelope leaves
    FORGET_RECEIPT = "forget-receipt"  # the hub answered, we lost the answer
    REPEAT = "repeat"  # the same bytes twice
    DELAY = "delay"
    REORDER = "reorder"  # wait until another envelope went first
    WRONG_KEY = "wrong-key"  # our name, a key nobody registered
    OTHERS_NAME = "others-name"  # our key, another participant's name
    EXPIRED_KEY = "expired-key"  # our key of earlier times
    FUTURE_DATE = "future-date"
    SAME_ID = "same-id"  # our envelope's id with other content
    ALTERED = "altered"  # changed after it was signed
    WRAPPED = "wrapped"  # XML only: our signed envelope inside another one
    # when a push arrives
    PUSH_500 = "push-500"
    PUSH_HTML = "push-html"
    PUSH_HANG = "push-hang"
    PUSH_FORGET = "push-forget"  # applied, but the acknowledgement is lost
    ACK_WRONG_DIGEST = "ack-wrong-digest"
    ACK_NO_DIGEST = "ack-no-digest"
    ACK_WRONG_KEY = "ack-wrong-key"
    ACK_TOO_FAR = "ack-too-far"  # acknowledges what was never delivered
    # when the hub asks about the book
    LIE_DIGEST = "lie-digest"  # another digest than that of the book
    LIE_BLOCKS = "lie-blocks"  # leaves the first block out
    LIE_APPLIED_TO = "lie-applied-to"  # says it went further than it did
    ANSWER_NOT = "answer-not"  # says nothing at all


SEND_FAULTS = (
    Fault.FORGET_RECEIPT,
    Fault.REPEAT,
    Fault.DELAY,
    Fault.REORDER,
    Fault.WRONG_KEY,
    Fault.OTHERS_NAME,
    Fault.EXPIRED_KEY,
    Fault.FUTURE_DATE,
    Fault.SAME_ID,
    Fault.ALTERED,
    Fault.WRAPPED,
)
ANSWER_FAULTS = (Fault.LIE_DIGEST, Fault.LIE_BLOCKS, Fault.LIE_APPLIED_TO, Fault.ANSWER_NOT)
PUSH_FAULTS = tuple(fault for fault in Fault if fault not in SEND_FAULTS + ANSWER_FAULTS)


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault that happened: what it was, and what the other side answered, if anything."""

    fault: Fault
    answer: str


@dataclass(slots=True)
class FaultPlan:
    """Draws faults: `chances` gives each one's probability at a moment where it can happen.

    Raises:
        ValueError: a probability is below 0, or those of one kind of moment add up to more than 1.
    """

    seed: int
    chances: Mapping[Fault, float]
    incidents: list[Incident] = field(default_factory=list)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        for kind in (SEND_FAULTS, PUSH_FAULTS, ANSWER_FAULTS):
            chances = [self.chances.get(fault, 0.0) for fault in kind]
            if min(chances) < 0 or sum(chances) > 1:
                raise ValueError("the chances of one moment add up to 1 at most")
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable on purpose

    def draw(self, kind: tuple[Fault, ...]) -> Fault | None:
        """Return the fault of this moment, or nothing."""
        drawn = self._random.random()
        for fault in kind:
            drawn -= self.chances.get(fault, 0.0)
            if drawn < 0:
                return fault
        return None

    def delay_seconds(self) -> float:
        """Return a short delay."""
        return self._random.uniform(0.0, 0.1)

    def note(self, fault: Fault, answer: str) -> None:
        """Remember that a fault happened."""
        self.incidents.append(Incident(fault, answer))
