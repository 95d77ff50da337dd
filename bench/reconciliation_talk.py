"""What two sides of a comparison say to each other, carried as the exchange's JSON and counted."""

import time
from typing import Any

from message_schemas import json_codec
from message_schemas.validation import schema_errors
from reconciliation.compare import WHOLE
from reconciliation.messages import Answer, BlocksAsked, Question, answer_of, question_notice
from reconciliation.owned import Series
from reconciliation.responder import Responder
from reconciliation.run_states import Comparison, Outcome

BY = "2026-11-23T05:30:00.000Z"


class Timed:
    """Wall clock and CPU of this process, in seconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def stop(self) -> tuple[float, float]:
        """Return what went by."""
        return time.perf_counter() - self._started[0], time.process_time() - self._started[1]


class Wire:
    """Counts what goes between the two sides."""

    def __init__(self) -> None:
        self.bytes = 0

    def ask(self, side: Responder, question: Question) -> Answer:
        """Return a registry's answer, both written and read; the hub looks at it by its schema."""
        type_, body = question_notice(question)
        kind, answer = side.answer(type_, self._carried(body))
        read = self._carried(answer)
        assert schema_errors(kind, 1, read) == (), "the answer is as its schema says"
        return answer_of(json_codec.decode_body(kind, 1, read))

    def _carried(self, body: dict[str, Any]) -> Any:
        raw = json_codec.encode(body)
        self.bytes += len(raw)
        return json_codec.parse_strict(raw)


def talk(comparison: Comparison, side: Responder, wire: Wire) -> Outcome:
    """Let the two talk to the end."""
    question: Question | None = comparison.start()
    while question is not None:
        question = comparison.receive(wire.ask(side, question))
    assert comparison.outcome is not None, "the session ended"
    return comparison.outcome


def all_blocks_of(side: Responder, series: Series, session: str, wire: Wire) -> set[Any]:
    """Return every block of a series that a registry sends, page by page."""
    found: set[Any] = set()
    windows: Any = {series: [WHOLE]}
    while windows:
        answer: Any = wire.ask(side, BlocksAsked(session, 1, windows))
        found.update(answer.blocks)
        windows = answer.rest
    return found
