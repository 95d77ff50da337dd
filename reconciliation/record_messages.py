"""What is asked and answered about transfers that moved no units.

The transfers are those that ended behind one log index and up to another, in any final state. An
answer lists them by id, in the order of their characters; ``more`` asks to go on behind the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from message_schemas.messages.reconciliation import RecordedTransfer


@dataclass(frozen=True, slots=True)
class RecordsAsked:
    """Asks for the transfers that ended in (``after``, ``index``]; the cut is ``index``.

    ``after_transfer`` continues a page. ``answer_by`` is a timestamp of the wire.
    """

    session: str
    number: int
    index: int
    after: int
    answer_by: str = ""
    after_transfer: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """A page of transfers as of ``applied_to``; with ``more`` others follow."""

    session: str
    number: int
    applied_to: int
    transfers: Sequence[RecordedTransfer]
    more: bool = False
