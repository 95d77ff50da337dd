"""Use and cancellation: the ends of a block's life (2/CMA.3 annex, paras 20(a), 21(e), 29)."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import Block
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionUse:
    """Blocks used towards an NDC, or for other international mitigation purposes.

    ``calendar_year`` stands exactly when ``purpose`` is ``NDC`` (annex II, table 3).
    ``issuance_id`` and ``account_party`` stand exactly when the mechanism registry tells of a
    retirement there (7/CMA.4 annex I, para 44); the account is then one of its own.
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
    issuance_id: str | None = None
    account_party: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCancellation:
    """Blocks cancelled: voluntarily, for OMGE, for OIMP, or otherwise (4/CMA.6 para 17).

    ``issuance_id`` and ``account_party`` are as in ``ActionUse``.
    """

    action_id: str
    cooperative_approach: str
    kind: Literal["voluntary", "omge", "oimp", "other"]
    cancelling_party: str
    quantity: int
    blocks: tuple[Block, ...]
    account: str | None = None
    cancelling_entity: str | None = None
    oimp_purpose: str | None = None
    issuance_id: str | None = None
    account_party: str | None = None
    extensions: Extensions | None = None
