"""Pull and view: holdings and action history, paged (7/CMA.4 annex I, para 49)."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import BlockRange
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsQuery:
    """Asks for the blocks held; every filter is optional, ``cursor`` continues a page."""

    items_max: int
    registry: str | None = None
    cooperative_approach: str | None = None
    vintage: int | None = None
    status: Literal["authorized", "itmo", "used", "cancelled"] | None = None
    cursor: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """Asks for the history of exactly one thing: a transfer, or a range of serial numbers."""

    items_max: int
    transfer_id: str | None = None
    range: BlockRange | None = None
    cursor: str | None = None
    extensions: Extensions | None = None
