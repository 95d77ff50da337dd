"""This registry's side of reconciliation: the hub's questions answered from the book as it is.

1. A question is a notice, and is answered in the transaction of its item: at that moment exactly
   the effects up to the item's log index are in the book, so that index is `applied_to`.
2. Digests, blocks and totals come from `reconciliation.responder` over the compared units
   (`compared`) with the sums that are kept (`kept_sums`); records from the tracking of transfers.
3. What cannot be answered is refused with the reason; nothing here stops the inbox.
4. A result is kept, and one with findings raises an alarm.

Without a book there is nothing to answer from: refused, unless the registry behind the local API
answers for itself (`reconciliation_by_api`). It gets the questions like all notices, by webhook or
from the inbox, and submits `reconciliation.*` messages through `POST /v1/messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from connectors.party_registry import reconciliation_log, record_answers
from connectors.party_registry.compared import UNREADABLE, ComparedBook, SummedBook
from connectors.party_registry.kept_sums import KeptSums
from connectors.party_registry.link_secret import HOW_TO_GET_ONE, LinkSecret
from connectors.session.alarms import AlarmKind
from connectors.session.deliveries import Arrived
from connectors.session.handler import Transaction
from message_schemas.json_codec import decode_body
from reconciliation.responder import PAGE, Responder

__all__ = ["QUESTIONS", "Reconciliation"]

CUT: Final = "reconciliation.cut"
DIGESTS_ASKED: Final = "reconciliation.digests_asked"
BLOCKS_ASKED: Final = "reconciliation.blocks_asked"
TOTALS_ASKED: Final = "reconciliation.totals_asked"
RECORDS_ASKED: Final = "reconciliation.records_asked"
RESULT: Final = "reconciliation.result"
QUESTIONS: Final = frozenset({CUT, DIGESTS_ASKED, BLOCKS_ASKED, TOTALS_ASKED, RECORDS_ASKED})
REFUSED: Final = "reconciliation.refused"

_NO_KEY: Final = bytes(64)
_Answer = tuple[str, dict[str, Any]]


class _RefusedError(Exception):
    """The question cannot be answered; `code` is one of `ReconciliationRefused`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Reconciliation:
    """Answers for one registry. `secret` is that of the link; without, no digests are told."""

    def __init__(
        self, *, has_book: bool, secret: LinkSecret | None = None, by_api: bool = False
    ) -> None:
        self.has_book = has_book
        self.secret = secret
        self.by_api = by_api
        self._sums = KeptSums()
        self._log = structlog.get_logger("connectors.reconciliation")

    def take(self, transaction: Transaction, notice: Arrived, log_index: int) -> None:
        """Give a notice of reconciliation its effect; others have none here."""
        if notice.typed is None:
            return  # a newer hub asks what is not known here: it hears nothing, as agreed
        if notice.type == RESULT:
            self._keep_result(transaction, dict(notice.plain))
        elif notice.type in QUESTIONS and not self.by_api:
            self._answer(transaction, notice.type, dict(notice.plain), log_index)

    def _answer(
        self, transaction: Transaction, type_: str, asked: dict[str, Any], log_index: int
    ) -> None:
        try:
            answer = self.answer_of(transaction, type_, asked, log_index)
            self._submit(transaction, answer)
        except _RefusedError as error:
            answer = self._refuse(transaction, asked, error)
        except UNREADABLE as error:
            # The exchange must go on whatever is wrong with the book: the hub opens a case.
            transaction.alarm(AlarmKind.BOOK_DIFFERS, asked["session"], f"{type_}: {error!r}")
            answer = self._refuse(transaction, asked, _RefusedError("not_now", f"{error!r}"))
        reconciliation_log.add_question(
            transaction.connection,
            session=asked["session"],
            number=asked["number"],
            type=type_,
            log_index=log_index,
            key_id=asked.get("key_id") if answer[0] != REFUSED else None,
            asked_at=transaction.at,
            answer=answer[0],
            reason=answer[1].get("reason"),
        )

    def answer_of(
        self, transaction: Transaction, type_: str, asked: dict[str, Any], log_index: int
    ) -> _Answer:
        """Return the answer, type and body; simulators return another one.

        Raises:
            _RefusedError: it cannot be answered here.
            UNREADABLE: the question or the book is not what it should be.
        """
        if type_ == RECORDS_ASKED:
            return record_answers.answer(transaction.connection, asked, log_index)
        if not self.has_book:
            reason = "this connector keeps no book: the registry behind it was not asked"
            raise _RefusedError("not_implemented", reason)
        connection = transaction.connection
        if type_ == TOTALS_ASKED:
            return Responder(_NO_KEY, "", SummedBook(connection, log_index)).answer(type_, asked)
        if type_ in {CUT, DIGESTS_ASKED}:
            book = ComparedBook(connection, log_index)
            key, key_id = self._key_for(transaction, type_, asked)
            sums = self._sums.current(connection, key, key_id, transaction.at)
            return Responder(key, key_id, book, sums).answer(type_, asked)
        paged = ComparedBook(connection, log_index, page=PAGE)
        return Responder(_NO_KEY, "", paged).answer(type_, asked)

    def _key_for(
        self, transaction: Transaction, type_: str, asked: Mapping[str, Any]
    ) -> tuple[bytes, str]:
        if self.secret is None:
            raise _RefusedError("key_unknown", "this registry has no link secret yet")
        key_id = asked.get("key_id") if type_ == CUT else None
        if type_ != CUT:
            key_id = reconciliation_log.fetch_key_id(transaction.connection, asked["session"])
        key = self.secret.key_named(key_id or "", transaction.now.year)
        if key is None or key_id is None:
            raise _RefusedError("key_unknown", f"there is no key {key_id} here")
        return key, key_id

    def _refuse(
        self, transaction: Transaction, asked: Mapping[str, Any], error: _RefusedError
    ) -> _Answer:
        help_ = HOW_TO_GET_ONE if error.code == "key_unknown" and self.secret is None else ""
        self._log.warning(
            "reconciliation.refused",
            session=asked["session"],
            code=error.code,
            reason=str(error),
            remedy=help_,
        )
        says = {"session": asked["session"], "number": asked["number"], "code": error.code}
        answer = (REFUSED, {**says, "reason": str(error)[:1000]})
        self._submit(transaction, answer)
        return answer

    @staticmethod
    def _submit(transaction: Transaction, answer: _Answer) -> None:
        type_, body = answer
        reference = f"{body['session']}/{body['number']}"
        typed = decode_body(type_, 1, body)
        transaction.submit(transaction.hub, [(type_, typed, reference)])

    def _keep_result(self, transaction: Transaction, body: dict[str, Any]) -> None:
        reconciliation_log.add_result(transaction.connection, body, transaction.at)
        if body["agreed"]:
            return
        cases = ", ".join(body.get("opened_cases", ())) or "none opened"
        why = f"{reason}. " if (reason := body.get("reason")) else ""
        text = (
            f"as of log index {body['as_of']}: {body['finding_count']} findings, cases: {cases}. "
            f"{why}`registry reconciliation explain {body['session']}` says what to do"
        )
        transaction.alarm(AlarmKind.RECONCILIATION_DIFFERS, body["session"], text)
