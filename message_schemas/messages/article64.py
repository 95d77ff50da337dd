"""Article 6.4: what the mechanism registry tells about its issuances and first transfers."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import Block, BlockRange
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class A64IssuanceNotice:
    """An issuance of A6.4ERs with its shares, all in t CO2 eq (7/CMA.4 annex I, paras 37-41).

    ``sop_quantity`` goes to the Adaptation Fund (3/CMA.3 annex, para 67(a)), ``omge_quantity``
    is cancelled for overall mitigation (para 69). Both are taken of all units issued, authorized
    and contribution (paras 58-59); ``*_contribution_quantity`` is the part of a share that is
    contribution units, None where the issuance does not say.
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
    sop_exemption_waived: bool | None = None
    sop_contribution_quantity: int | None = None
    omge_contribution_quantity: int | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedShare:
    """Units of a share taken at issuance that become authorized; each range is a whole block.

    They are first transferred by it: ``account`` is the Adaptation Fund's, or the one for OMGE.
    """

    kind: Literal["sop_adaptation", "omge"]
    account: str
    ranges: tuple[BlockRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class A64AuthorizationChange:
    """Contribution units that their host Party authorized later (6/CMA.6 paras 12-14).

    ``blocks`` are all of them, those of the shares too; ``quantity`` (t CO2 eq) is their sum.
    """

    change_id: str
    issuance_id: str
    activity_id: str
    cooperative_approach: str
    changed_at: str
    quantity: int
    blocks: tuple[Block, ...]
    shares: tuple[AdjustedShare, ...] = ()
    extensions: Extensions | None = None
