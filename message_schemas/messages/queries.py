"""Pull and view: holdings and action history, paged (7/CMA.4 annex I, para 49; 6/CMA.6 para 17).

1. A query goes to the hub, which answers in the receipt's ``result``, or to the mechanism
   registry, which answers by a message of its own. The rows have one shape for both.
2. ``HoldingsItem`` and ``HistoryItem`` name a run of serial numbers by its columns.
"""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import BlockRange
from message_schemas.extensions import Extensions
from message_schemas.messages.transfers import Reason

UnitStatus = Literal["authorized", "itmo", "used", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsQuery:
    """Asks for the blocks held; every filter is optional, ``cursor`` continues a page."""

    items_max: int
    registry: str | None = None
    account: str | None = None
    cooperative_approach: str | None = None
    first_transferring_party: str | None = None
    vintage: int | None = None
    status: UnitStatus | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsItem:
    """A run of units and where it stands. ``quantity`` is that of the run."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    quantity: int
    registry: str
    status: UnitStatus
    account: str | None = None
    first_transfer: str | None = None
    reserved_by: str | None = None
    hold: str | None = None
    issuance_id: str | None = None
    activity_id: str | None = None
    authorization_id: str | None = None
    authorization_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """What happened to a run of units.

    The hub tells the place in its log (``log_index``, ``ordinal``), the mechanism registry the
    time (``occurred_at``).
    """

    kind: str
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    quantity: int
    reference: str
    occurred_at: str | None = None
    log_index: int | None = None
    ordinal: int | None = None
    from_registry: str | None = None
    from_account: str | None = None
    to_registry: str | None = None
    to_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsAnswer:
    """One page of the mechanism registry's answer to a ``holdings.query``.

    ``previous_sha256`` is the digest of the envelope that asked, ``as_of`` the time whose state
    the page tells. With ``cursor`` there may be more; with ``reasons`` nothing can be answered.
    """

    query_message_id: str
    previous_sha256: str
    as_of: str
    items: tuple[HoldingsItem, ...]
    cursor: str | None = None
    reasons: tuple[Reason, ...] = ()
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAnswer:
    """One page of the mechanism registry's answer to a ``history.query``; as HoldingsAnswer."""

    query_message_id: str
    previous_sha256: str
    as_of: str
    items: tuple[HistoryItem, ...]
    cursor: str | None = None
    reasons: tuple[Reason, ...] = ()
    extensions: Extensions | None = None
