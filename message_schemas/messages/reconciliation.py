"""What hub and registry say to each other to compare their books (6/CMA.4 annex I para 9).

1. The hub asks by notices, in the registry's ordered channel; the registry answers by messages. An
   answer repeats ``session`` and ``number`` of the question, and says in ``applied_to`` up to which
   log index the registry had applied its deliveries when it looked.
2. Long lists are lists of short texts: ``window`` is ``FIRST-LAST``, positions of a series, both
   included; ``digest`` is ``CHUNK:`` and 32 hexadecimal digits; ``block`` is ``FIRST-LAST:PLACE``,
   the place counting from 0 in the answer's list of values.
3. ``OwnedValues`` are the attributes both sides own. One that a unit does not have is left out.
"""

from dataclasses import dataclass
from typing import Literal

from message_schemas.extensions import Extensions

FindingKindName = Literal[
    "in_flight",
    "timing",
    "lost_message",
    "doubled_message",
    "missing_at_registry",
    "missing_at_ledger",
    "attribute_differs",
    "held_twice",
    "used_or_cancelled_on_one_side",
    "no_answer",
    "record_differs",
]
"""What kind of difference a finding is; the last two are of no serials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedValues:
    """The values of one run of units, as texts; see ``reconciliation.owned``."""

    status: str | None = None
    first_transferred: str | None = None
    metric: str | None = None
    mitigation_type: str | None = None
    authorization_id: str | None = None
    authorization_version: str | None = None
    sector: str | None = None
    activity_type: str | None = None
    non_ghg_metric: str | None = None
    gwp_values: str | None = None
    underlying_registry: str | None = None
    underlying_first: str | None = None
    underlying_last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesName:
    """What serials count within: the identifier without the serial (6/CMA.4 annex I para 5)."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWindows(SeriesName):
    """Windows of one series, each ``FIRST-LAST``."""

    windows: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDigests(SeriesName):
    """Digests of one series that are not zero, each ``CHUNK:DIGEST``."""

    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesBlocks(SeriesName):
    """Blocks of one series, each ``FIRST-LAST:PLACE``."""

    blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsTotal:
    """How many units have these values; only the values that the answer groups by are there."""

    values: OwnedValues
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTotals(SeriesName):
    """Units of one series by their values."""

    totals: tuple[UnitsTotal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTransfer:
    """A transfer that moved no units, as it is on record."""

    transfer_id: str
    state: Literal["completed", "rejected", "cancelled", "expired"]
    quantity: int


# --- what the hub asks: notices ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationCut:
    """Compare as of ``log_index``, this notice's own entry, by this key and these attributes."""

    session: str
    number: int
    log_index: int
    key_id: str
    owned: tuple[str, ...]
    answer_by: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationDigestsAsked:
    """Asks for digests of chunks of 2^shift positions.

    Without windows of every series as a whole, in the order of series, from behind ``after`` on.
    """

    session: str
    number: int
    shift: int
    windows: tuple[SeriesWindows, ...] = ()
    after: SeriesName | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationBlocksAsked:
    """Asks for the blocks of windows."""

    session: str
    number: int
    windows: tuple[SeriesWindows, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationTotalsAsked:
    """Asks for totals, of a registry that has no digests."""

    session: str
    number: int
    log_index: int
    owned: tuple[str, ...]
    answer_by: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRecordsAsked:
    """Asks for the transfers without units that ended behind ``after`` and up to ``log_index``.

    ``after_transfer`` continues a page, in the order of transfer ids.
    """

    session: str
    number: int
    log_index: int
    after: int
    answer_by: str
    after_transfer: str | None = None
    extensions: Extensions | None = None


# --- what the registry answers: messages ---------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationCutAck:
    """The digest of all units of the registry."""

    session: str
    number: int
    applied_to: int
    digest: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationDigests:
    """The digests asked for. With ``more`` the answer goes on behind the last digest named."""

    session: str
    number: int
    applied_to: int
    chunks: tuple[SeriesDigests, ...]
    more: bool
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationBlocks:
    """The blocks asked for, cut to the windows; ``rest`` is still to be asked for."""

    session: str
    number: int
    applied_to: int
    owned: tuple[OwnedValues, ...]
    blocks: tuple[SeriesBlocks, ...]
    rest: tuple[SeriesWindows, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationTotals:
    """Units by series and by ``fields``, some of the owned attributes."""

    session: str
    number: int
    applied_to: int
    fields: tuple[str, ...]
    units: tuple[SeriesTotals, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRecords:
    """The transfers asked for, by id; with ``more`` others follow behind the last one."""

    session: str
    number: int
    applied_to: int
    transfers: tuple[RecordedTransfer, ...]
    more: bool
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRefused:
    """The registry cannot answer this question, and why."""

    session: str
    number: int
    code: Literal["key_unknown", "other_attributes", "not_implemented", "not_now"]
    reason: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationExplanation:
    """What a registry says of a case; ``corrected`` asks for a new comparison of its serials."""

    case_id: str
    text: str
    corrected: bool
    extensions: Extensions | None = None


# --- how it ended: a notice ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationFinding(SeriesName):
    """Serials on which the sides differ all along in one way.

    ``ledger`` and ``registry`` are what each side has there: nothing, one, or several.
    ``cause_index`` and ``reference`` are the entry of the log behind it, where one is known.
    """

    kind: FindingKindName
    first_serial: int
    last_serial: int
    quantity: int
    ledger: tuple[OwnedValues, ...]
    registry: tuple[OwnedValues, ...]
    frozen: bool
    fields: tuple[str, ...] = ()
    cause_index: int | None = None
    reference: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFinding:
    """A transfer without units that the two sides have differently; None: not on record there."""

    transfer_id: str
    ledger: RecordedTransfer | None = None
    registry: RecordedTransfer | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationResult:
    """How a session ended.

    ``log_index`` is its cut, ``as_of`` the index whose state was compared. ``findings`` holds the
    first of them, ``finding_count`` counts all. ``closed_cases`` were closed by this session, and
    their serials thawed.
    """

    session: str
    log_index: int
    as_of: int
    agreed: bool
    basis: Literal["digests", "explanation", "blocks", "totals", "records", "none"]
    finding_count: int
    findings: tuple[ReconciliationFinding, ...]
    records: tuple[RecordFinding, ...] = ()
    opened_cases: tuple[str, ...] = ()
    closed_cases: tuple[str, ...] = ()
    reason: str | None = None
    extensions: Extensions | None = None
