"""Use and cancellation: the ends of a block's life (2/CMA.3 annex, paras 20(a), 21(e), 29)."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import Block
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionUse:
    """Blocks used towards an NDC, or for other international mitigation purposes.

    ``calendar_year`` stands exactly when ``purpose`` is ``NDC`` (annex II, table 3).
    """

    action_id: str
    cooperative_approach: str
    purpose: str
    using_party: str
    quantity: int
    blocks: tuple[Block, ...]
    account: str | None = None
    using_entity: str | None = None
    calendar_year: int | None = None
    oimp_purpose: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCancellation:
    """Blocks cancelled: voluntarily, for OMGE, for OIMP, or otherwise (4/CMA.6 para 17)."""

    action_id: str
    cooperative_approach: str
    kind: Literal["voluntary", "omge", "oimp", "other"]
    cancelling_party: str
    quantity: int
    blocks: tuple[Block, ...]
    account: str | None = None
    cancelling_entity: str | None = None
    oimp_purpose: str | None = None
    extensions: Extensions | None = None
