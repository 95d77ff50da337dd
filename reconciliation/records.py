"""The comparison of records: transfers that were notified and recorded, and moved no units.

    asked -> page -> page -> ... -> done

1. Both sides list the transfers that ended in a span of the log, by id. A page speaks of the ids up
   to its last one, as of its own ``applied_to``: page by page, the hub's list is laid beside it.
2. What ended behind ``applied_to`` and is not listed is on its way: no finding.
3. What the registry lists and the span does not have is looked up: the hub may have ended it before
   or behind the span, which is compared like the rest; or not at all yet, which is on its way too.
4. A finding has what each side has on record: nothing at one of them, or another state or quantity.

The outcome's ``as_of`` is up to where the records were really compared: the next session that
follows an agreement begins behind it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from message_schemas.messages.reconciliation import RecordedTransfer, RecordFinding
from reconciliation.messages import Answer, MessageError, Refused
from reconciliation.record_messages import Records, RecordsAsked
from reconciliation.run_states import QUESTIONS_MAX, Basis, Outcome

__all__ = ["HubRecord", "Records", "RecordsAsked", "RecordsComparison", "kind_of"]

DIFFERS: Final = "record_differs"
MISSING_AT_LEDGER: Final = "missing_at_ledger"
MISSING_AT_REGISTRY: Final = "missing_at_registry"


@dataclass(frozen=True, slots=True)
class HubRecord:
    """A transfer at the hub: what is on record, and the log index at which it ended.

    While it is in flight, nothing is on record, and the index is that of its proposal.
    """

    transfer: RecordedTransfer | None
    log_index: int


def kind_of(finding: RecordFinding) -> str:
    """Return what kind of difference a finding is."""
    if finding.ledger is None:
        return MISSING_AT_LEDGER
    return MISSING_AT_REGISTRY if finding.registry is None else DIFFERS


class RecordsComparison:
    """The hub's side of a session on records; the same face as ``Comparison``.

    ``ended`` are the hub's transfers that ended in the span, by id. ``find`` returns those of other
    ids that the registry takes part in, whether they ended or not. ``record_findings`` is filled as
    pages come; ``waiting_count`` counts what is on its way.
    """

    def __init__(
        self,
        asked: RecordsAsked,
        ended: Mapping[str, HubRecord],
        find: Callable[[Collection[str]], Mapping[str, HubRecord]],
    ) -> None:
        self.outcome: Outcome | None = None
        self.record_findings: list[RecordFinding] = []
        self.waiting_count = 0
        self._start = self._asked = asked
        self._ended, self._find = ended, find
        self._ids = sorted(ended)
        self._at = 0
        self._as_of = asked.index
        self._count = 1

    def start(self) -> RecordsAsked:
        """Return the first question."""
        return self._start

    def receive(self, answer: Answer | Records) -> RecordsAsked | None:
        """Take an answer and return the next question; None if there is none, or no need.

        Raises MessageError if the answer is not one to the question; nothing is changed then.
        """
        asked = (self._asked.session, self._asked.number)
        if self.outcome is not None or (answer.session, answer.number) != asked:
            return None
        if isinstance(answer, Refused):
            self._finish(answer.reason)
            return None
        if not isinstance(answer, Records):
            raise MessageError(f"{type(answer).__name__} is no answer to the question asked")
        self._require_order(answer)
        self._compare(answer)
        if not answer.more:
            self._finish(None)
            return None
        if self._count >= QUESTIONS_MAX:
            self._finish("the answers come to no end")
            return None
        return self._ask_behind(answer.transfers[-1].transfer_id)

    def _require_order(self, page: Records) -> None:
        last = self._asked.after_transfer or ""
        for transfer in page.transfers:
            if transfer.transfer_id <= last:
                raise MessageError(
                    f"transfer {transfer.transfer_id} does not come behind {last or 'nothing'}"
                )
            last = transfer.transfer_id
        if page.more and not page.transfers:
            raise MessageError("an empty page cannot have others behind it")

    def _compare(self, page: Records) -> None:
        theirs = {transfer.transfer_id: transfer for transfer in page.transfers}
        ours = self._ids_up_to(page.transfers[-1].transfer_id if page.more else None)
        strange = theirs.keys() - self._ended.keys()
        found = self._find(strange) if strange else {}
        for transfer_id in sorted(theirs.keys() | set(ours)):
            record = self._ended.get(transfer_id) or found.get(transfer_id)
            listed = theirs.get(transfer_id)
            is_waiting = record is not None and (
                record.transfer is None or (listed is None and record.log_index > page.applied_to)
            )
            if is_waiting:
                self.waiting_count += 1
                continue
            known = None if record is None else record.transfer
            if known != listed:
                self.record_findings.append(
                    RecordFinding(transfer_id=transfer_id, ledger=known, registry=listed)
                )
        self._as_of = min(self._as_of, page.applied_to)

    def _ids_up_to(self, last: str | None) -> Sequence[str]:
        """Return the hub's ids that a page speaks of, the next ones in order."""
        start = self._at
        while self._at < len(self._ids) and (last is None or self._ids[self._at] <= last):
            self._at += 1
        return self._ids[start : self._at]

    def _ask_behind(self, transfer_id: str) -> RecordsAsked:
        start = self._start
        self._asked = RecordsAsked(
            start.session,
            self._asked.number + 1,
            start.index,
            start.after,
            start.answer_by,
            transfer_id,
        )
        self._count += 1
        return self._asked

    def _finish(self, reason: str | None) -> None:
        if reason is not None:
            self.record_findings = []
        self.outcome = Outcome(
            self._start.session,
            self._start.index,
            max(self._start.after, self._as_of),
            reason is None and not self.record_findings,
            Basis.RECORDS,
            (),
            self._count,
            reason=reason,
        )
