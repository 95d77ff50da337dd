"""What a case is called and what each side does about it: the words, in one place.

Written for the operator of a registry who reads them early in the morning: what differs, what it
comes from most of the time, what to do at the registry, what the hub's operators do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hub.international_registry.units import Series as LedgerSeries
from reconciliation.cases import NO_ANSWER, RECORD_DIFFERS, Group, merged
from reconciliation.discrepancies import Finding, FindingKind, differing_field
from reconciliation.owned import Series

_RANGES_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one kind. ``title`` follows a count of units; the others are sentences."""

    title: str
    means: str
    at_registry: tuple[str, ...]
    at_hub: tuple[str, ...]


_ASK: Final = (
    "Then tell the hub with a `reconciliation.explanation` of this case, `corrected` set to true: "
    "that asks for a new comparison. Otherwise the next night compares."
)
_LOOK: Final = "Acknowledge the case and assign it, so that the registry has somebody to talk to."

ENDED_THERE: Final = (
    "Your book has ended units that the ledger has as held: send their `action.use` or "
    "`action.cancellation`, the one message that may touch these serials now. If you did not end "
    "them, take the entry back."
)
"""What a registry does that has ended units; the ledger has them as held."""

ENDED_HERE: Final = (
    "The ledger has ended units that your book still holds: the use or cancellation is in the log "
    "(`history.query`); enter it in your book."
)
"""What a registry does that still holds units; the ledger has ended them."""

KINDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        FindingKind.LOST_MESSAGE.value: Words(
            "units of a message that left no trace at the registry",
            "The registry acknowledged the message named below, and its book looks exactly as if "
            "it had never come.",
            (
                "Look the message up in your connector by its log index: did your book take it, "
                "and was its change rolled back, or restored over from a backup?",
                "Ask for the delivery again (`delivery.resend`) and apply this one message, once.",
                _ASK,
            ),
            (
                _LOOK,
                "Check the delivery and its acknowledgement above, and export the evidence.",
                "If the message was wrong and not the registry, put the ledger right with a "
                "compensating entry for this case.",
            ),
        ),
        FindingKind.DOUBLED_MESSAGE.value: Words(
            "units of a message that was applied twice at the registry",
            "The registry's book looks exactly as if the message named below had been applied a "
            "second time.",
            (
                "Look the message up in your connector by its log index, and find its second "
                "entry in your book.",
                "Take the second entry back. The sequence number of a delivered item tells "
                "whether it was applied before.",
                _ASK,
            ),
            (_LOOK, "Check above when the message was delivered, and export the evidence."),
        ),
        FindingKind.MISSING_AT_REGISTRY.value: Words(
            "units missing at the registry",
            "The ledger has these units at the registry, and the registry's book does not have "
            "them at all. No single message explains it.",
            (
                "Look for these serials in your book: deleted, booked to another registry, or "
                "under other identifiers?",
                "Compare with your history of them at the hub (`history.query`), and enter what "
                "was recorded.",
                "If you gave them away outside the hub, say so in a "
                "`reconciliation.explanation`: the ledger then needs a correction.",
                _ASK,
            ),
            (
                _LOOK,
                "Read the history of the serials, and compare it with what the registry says.",
                "If the ledger is wrong, put it right with a compensating entry for this case.",
            ),
        ),
        FindingKind.MISSING_AT_LEDGER.value: Words(
            "units too many at the registry",
            "The registry has these units, and by the ledger they are not there: elsewhere, or "
            "unknown.",
            (
                "Find the entry in your book that credited these serials, and the message it came "
                "from.",
                "Without a completed transfer there is no credit: take the entry back.",
                "If a transfer was agreed but never went through the hub, tell us in a "
                "`reconciliation.explanation`.",
                _ASK,
            ),
            (
                _LOOK,
                "See in the history of the serials who has them by the ledger: the same units may "
                "be a case with that registry too.",
                "If the ledger is wrong, put it right with a compensating entry for this case.",
            ),
        ),
        FindingKind.ATTRIBUTE_DIFFERS.value: Words(
            "units with another attribute at the registry",
            "Both sides have the units, and an attribute that is fixed for their life differs.",
            (
                "Compare the attribute with the authorization and the transfer the units came by: "
                "what was recorded in the log stands.",
                "Correct it in your book. Attributes are never changed by a message.",
                _ASK,
            ),
            (_LOOK, "Check what the units' first message says, and export it as evidence."),
        ),
        FindingKind.HELD_TWICE.value: Words(
            "units held more than once",
            "One side has the same unit in two blocks.",
            (
                "Find the blocks of your book that overlap in these serials; one of them is an "
                "entry too many.",
                "Take that entry back, and let your book refuse overlapping blocks.",
                _ASK,
            ),
            (
                _LOOK,
                "Two blocks of one unit cannot be in the ledger: run `itmo-hub db check` if the "
                "side that has them is the ledger.",
            ),
        ),
        FindingKind.ENDED_ON_ONE_SIDE.value: Words(
            "units used or cancelled on one side only",
            "One side has ended the units and the other still holds them.",
            (
                ENDED_THERE,
                ENDED_HERE,
                _ASK,
            ),
            (
                _LOOK,
                "Nothing undoes a use or a cancellation (2/CMA.3 annex para 21(e)): the side that "
                "still holds the units enters it.",
            ),
        ),
        NO_ANSWER: Words(
            "comparison without an answer",
            "The registry did not answer, refused, or gave answers that cannot all be true. "
            "Whether its book agrees is not known.",
            (
                "See that your connector runs, fetches its mailbox and answers "
                "`reconciliation.cut`.",
                "Check the key of the link and the list of attributes if you refused.",
                "The next night asks again; the hub's operators can ask at once.",
            ),
            (
                "Look when the registry was last seen (`itmo-hub participant list`).",
                "Call the registry, and ask again when it is back.",
            ),
        ),
        RECORD_DIFFERS: Words(
            "transfers without units on record differently",
            "A transfer that was notified and recorded has another state or quantity at the "
            "registry than here, or is on one record only.",
            (
                "Compare the transfers named below with your record; what was recorded in the "
                "log stands.",
                "Correct your record, or explain the difference in a `reconciliation.explanation`.",
                _ASK,
            ),
            (_LOOK, "Export the evidence of the transfers concerned."),
        ),
    }
)
"""By kind of case."""


def full_range(series: Series, first: int, last: int) -> str:
    """Return serials for a person: one identifier, or ``FIRST_ID to LAST_ID``."""
    ledger = LedgerSeries(*series)
    if first == last:
        return ledger.identifier(first)
    return f"{ledger.identifier(first)} to {ledger.identifier(last)}"


def summary_of(kind: str, findings: Iterable[Finding]) -> str:
    """Return a case in one line: how many units, what with them, the first of the serials."""
    joined = merged(findings)
    count = sum(one.quantity for one in joined)
    other = series_field_of(Group(kind, tuple(joined)))
    title = KINDS[kind].title if other is None else f"units with another {other} at the registry"
    if other is not None:
        count //= 2  # each unit is missing under one identifier and too many under the other
    named = [full_range(one.series, one.first, one.last) for one in joined[:_RANGES_NAMED]]
    more = len(joined) - len(named)
    rest = f", and {more} more ranges" if more > 1 else ", and one more range" if more else ""
    cause = {one.cause_index for one in joined}
    (index,) = cause if len(cause) == 1 else (None,)
    because = "" if index is None else f" (log index {index})"
    return f"{count} {singular(title) if count == 1 else title}{because}: {', '.join(named)}{rest}"


def series_field_of(group: Group) -> str | None:
    """Return the field of the identifier that is wrong, if the units are under two series."""
    if group.kind != FindingKind.ATTRIBUTE_DIFFERS.value:
        return None
    series = sorted({one.series for one in group.findings})
    field = differing_field(*series) if len(series) == 2 else None
    return None if field is None else field.replace("_", " ")


def singular(title: str) -> str:
    """Return a title for one unit."""
    return title.replace("units ", "unit ", 1).replace("transfers ", "transfer ", 1)


def records_summary(transfer_ids: Sequence[str]) -> str:
    """Return a case about records in one line."""
    count, named = len(transfer_ids), ", ".join(transfer_ids[:_RANGES_NAMED])
    title = KINDS[RECORD_DIFFERS].title
    rest = f", and {count - _RANGES_NAMED} more" if count > _RANGES_NAMED else ""
    return f"{count} {singular(title) if count == 1 else title}: {named}{rest}"
