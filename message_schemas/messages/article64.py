"""Article 6.4: what the mechanism registry tells about its issuances and first transfers."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import Block
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class A64IssuanceNotice:
    """An issuance of A6.4ERs with its shares, all in t CO2 eq (7/CMA.4 annex I, paras 37-41).

    ``sop_quantity`` goes to the Adaptation Fund (3/CMA.3 annex, para 67(a)), ``omge_quantity``
    is cancelled for overall mitigation (para 69).
    """

    issuance_id: str
    activity_id: str
    host_party: str
    cooperative_approach: str
    vintage: int
    issued_quantity: int
    authorized_quantity: int
    sop_quantity: int
    sop_exempt: bool
    omge_quantity: int
    issued_at: str
    sop_exemption: Literal["LDC", "SIDS"] | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class A64FirstTransfer:
    """A6.4ERs first transferred into an account of the international registry (4/CMA.6 para 49).

    ``kind`` tells forwarding from the two shares taken at issuance (7/CMA.4 annex I, 39-41).
    """

    first_transfer_id: str
    kind: Literal["forwarding", "sop_adaptation", "omge"]
    activity_id: str
    cooperative_approach: str
    acquiring_account: str
    authorization_status: Literal["authorized", "contribution"]
    quantity: int
    blocks: tuple[Block, ...]
    issuance_id: str | None = None
    extensions: Extensions | None = None
