"""The two kinds of line in a feed of first-transferred A6.4ERs. PURE.

``issuance``        what was issued, and how much of it the two shares took;
``first_transfer``  one block of units that leaves as ITMOs: to an account of the international
                    registry (forwarding), to the Adaptation Fund (share of proceeds), or
                    cancelled for overall mitigation (OMGE). One line, one block, one first
                    transfer with an id of its own.

``feed_fields`` makes these from the fields of a line; whoever holds one holds valid values.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec


class BlockKind(StrEnum):
    """What happens to a block (7/CMA.4 I.35, I.39-41)."""

    FORWARDING = "forwarding"
    SOP_ADAPTATION = "sop_adaptation"
    OMGE = "omge"


@dataclass(frozen=True, slots=True)
class IssuanceLine:
    """One issuance (7/CMA.4 I.37-38); quantities in units of one t CO2 eq, ``issued_at`` UTC."""

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
    sop_exemption: str | None = None


@dataclass(frozen=True, slots=True)
class UnitBlockLine:
    """One block of first-transferred units; ``quantity`` in t CO2 eq.

    The identity of a unit (6/CMA.4 I.5) is the cooperative approach, the originating registry
    (the mechanism registry that pushes), the first transferring Party (the host Party), the
    serial number and the vintage.
    """

    first_transfer_id: str
    kind: BlockKind
    issuance_id: str
    activity_id: str
    host_party: str
    cooperative_approach: str
    vintage: int
    first_serial: int
    last_serial: int
    quantity: int
    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    authorization_status: str
    sector: str
    acquiring_account: str
    activity_type: str | None = None
    gwp_values: str | None = None
    underlying_registry: str | None = None
    underlying_first_unit_id: str | None = None
    underlying_last_unit_id: str | None = None

    def identifier(self, registry: str) -> tuple[str, str]:
        """Return the first and the last unit's identifier (6/CMA.4 I.5)."""
        head = f"{self.cooperative_approach}-{registry}-{self.host_party}"
        return (
            f"{head}-{self.first_serial}-{self.vintage}",
            f"{head}-{self.last_serial}-{self.vintage}",
        )


Row: TypeAlias = IssuanceLine | UnitBlockLine

ISSUANCE: Final = "issuance"
RECORDS: Final[Mapping[str, type[Row]]] = MappingProxyType(
    {ISSUANCE: IssuanceLine, "first_transfer": UnitBlockLine}
)
"""The value of the ``record`` field, and the line it makes."""


def reference_of(row: Row) -> str:
    """Return the name of a line's message; the two kinds of id may use the same numbers."""
    if isinstance(row, UnitBlockLine):
        return row.first_transfer_id
    return issuance_reference(row.issuance_id)


def issuance_reference(issuance_id: str) -> str:
    """Return the name of an issuance's message."""
    return f"{ISSUANCE} {issuance_id}"


def content_sha256(row: Row) -> str:
    """Return the digest by which the same content is known again."""
    return hashlib.sha256(msgspec.json.encode(row)).hexdigest()
