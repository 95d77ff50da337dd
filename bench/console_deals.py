"""Transfers on their way through the three years: what they are about, and what is said of them."""

from dataclasses import dataclass
from typing import Any

from bench.console_cast import Market
from tests.integration.peers import block, proposal

Block = list[Any]
"""series id, first, last, attributes id, registry, account, status, reserved by."""


@dataclass(slots=True)
class Deal:
    """One transfer on its way."""

    transfer_id: str
    blocks: list[Block]
    is_first: bool
    outcome: str
    from_account: str
    to_account: str
    purpose: str

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return sum(one[2] - one[1] + 1 for one in self.blocks)


@dataclass(slots=True)
class Talk:
    """An envelope of proposals and what is known of its answer."""

    initiator: str
    acquirer: str
    deals: list[Deal]
    proposed_at: int
    index: int = 0
    digest: str = ""


def proposed(market: Market, deal: Deal) -> tuple[str, dict[str, Any]]:
    """Return the message that proposes a transfer."""
    blocks = []
    for one in deal.blocks:
        series = market.series[one[0]]
        first_id, last_id = series.identifier(one[1]), series.identifier(one[2])
        blocks.append(block(one[1], one[2], first_id=first_id, last_id=last_id))
    return proposal(
        deal.transfer_id,
        *blocks,
        action="first_transfer" if deal.is_first else "transfer",
        transferring_account=deal.from_account,
        acquiring_account=deal.to_account,
        purpose=deal.purpose,
    )


def answered(outcome: str, deal: Deal, talk: Talk) -> tuple[str, dict[str, Any]]:
    """Return the message that ends a transfer."""
    names = {"completed": "acceptance", "rejected": "rejection", "cancelled": "cancellation"}
    body = {"transfer_id": deal.transfer_id, "proposal_sha256": talk.digest}
    if outcome == "rejected":
        body |= {"reason": "the account is not the one agreed"}
    return f"transfer.{names[outcome]}", body
