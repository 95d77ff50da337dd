"""What to answer to a proposal: accept it, reject it with a reason, or ask an operator.

1. A proposal into an account that is not here, or not open, is rejected: no operator could accept.
2. From a registry that is not trusted, when a list of trusted ones is kept: an operator decides.
3. Above `auto_quantity_max`: an operator decides.
4. Otherwise the mode decides: `auto` accepts, `ask` waits for an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AcceptancePolicy", "Answer", "Decision"]


class Decision(StrEnum):
    """What the policy says."""

    ACCEPT = "accept"
    REJECT = "reject"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, with the sentence that explains it."""

    decision: Decision
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptancePolicy:
    """The rules of one registry. An empty `trusted` trusts everybody whom the hub lets through.

    Raises:
        ValueError: the mode is neither `auto` nor `ask`.
    """

    mode: str = "ask"
    trusted: frozenset[str] = frozenset()
    auto_quantity_max: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in {"auto", "ask"}:
            raise ValueError(f"the acceptance mode is {self.mode!r}: auto or ask")

    def decide(
        self, *, sender: str, quantity: int, account: str, account_status: str | None
    ) -> Answer:
        """Decide on a proposal; `account_status` is None if there is no such account here."""
        if account_status is None:
            return Answer(Decision.REJECT, f"There is no account {account} in this registry.")
        if account_status != "open":
            return Answer(Decision.REJECT, f"The account {account} is {account_status}.")
        if self.trusted and sender not in self.trusted:
            return Answer(Decision.ASK, f"{sender} is not on the list of trusted registries.")
        if self.auto_quantity_max is not None and quantity > self.auto_quantity_max:
            return Answer(Decision.ASK, f"{quantity} is above {self.auto_quantity_max}.")
        if self.mode == "ask":
            return Answer(Decision.ASK, "Every proposal is decided by an operator.")
        return Answer(Decision.ACCEPT, "The account is open and the policy accepts.")
