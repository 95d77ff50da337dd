"""Two sides at rest, for tests that say themselves what differs: books in, an outcome out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from message_schemas import json_codec
from message_schemas.validation import schema_errors
from reconciliation.books import LedgerBook
from reconciliation.compare import Limits
from reconciliation.digests import EdgeHasher
from reconciliation.explain import Explainer
from reconciliation.messages import Answer, Cut, Question, answer_of, question_notice
from reconciliation.movements import Movement, Piece
from reconciliation.owned import Block, Owned, Series
from reconciliation.responder import Responder
from reconciliation.run_states import Comparison, Outcome
from tests.reconciliation.worlds import SERIES, Grid, RegistryBook, values

KEY, KEY_ID = bytes(range(64)), "CHE02-2026"
SESSION, BY = "CHE02-1", "2026-11-23T05:30:00.000Z"
A, B, C = SERIES
X, Y = values(0), values(1)
USED = values(0, "used")


def carried(type_: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as the other side reads it, from its bytes; its schema must accept it."""
    read = json_codec.parse_strict(json_codec.encode(body))
    assert schema_errors(type_, 1, read) == ()
    assert isinstance(read, dict)
    return read


def asked_of(side: Responder, question: Question) -> tuple[str, dict[str, Any]]:
    """Return type and body of the answer of a registry, carried there and back."""
    type_, body = question_notice(question)
    kind, answer = side.answer(type_, carried(type_, body))
    return kind, carried(kind, answer)


def heard(kind: str, body: dict[str, Any]) -> Answer:
    """Return an answer as the hub reads it."""
    return answer_of(json_codec.decode_body(kind, 1, body))


@dataclass
class Sides:
    """A ledger's book, a registry's, and what was said between them."""

    ledger: LedgerBook
    book: RegistryBook
    explainer: Explainer = field(default_factory=Explainer)
    questions: list[Question] = field(default_factory=list)
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def move(self, index: int, *pieces: Piece) -> Movement:
        """Let the ledger apply a movement; the registry does not hear of it."""
        movement = Movement(index, f"T-{index}", pieces)
        self.explainer.add(movement, self.ledger.apply(movement))
        return movement

    def comparison(self, index: int, **options: Any) -> Comparison:
        """Return a session at a cut."""
        return Comparison(
            Cut(SESSION, 1, index, KEY_ID, BY),
            self.ledger.view,
            self.ledger.head,
            self.explainer,
            lambda after: [m for m in self.ledger.journal if after < m.log_index <= index],
            **options,
        )

    def compare(self, index: int, limits: Limits | None = None) -> Outcome:
        """Let the two talk to the end."""
        comparison = self.comparison(index, **({} if limits is None else {"limits": limits}))
        side = Responder(KEY, KEY_ID, self.book)
        question: Question | None = comparison.start()
        while question is not None:
            self.questions.append(question)
            self.answers.append(asked_of(side, question))
            question = comparison.receive(heard(*self.answers[-1]))
        assert comparison.outcome is not None
        return comparison.outcome


def sides(ledger: list[Block], registry: list[Block], index: int = 0) -> Sides:
    """Return two sides with these blocks as of an index."""
    book = RegistryBook(Grid(1, 1), index, list(registry))
    return Sides(LedgerBook(EdgeHasher(KEY), ledger, index), book)


def credit(series: Series, first: int, last: int, owned: Owned = X) -> Piece:
    """Return a piece of units that arrive."""
    return Piece(series, first, last, None, owned)


def many(series: Series, count: int, owned: Owned = X, step: int = 1_000) -> list[Block]:
    """Return blocks that do not touch, `step` serials apart."""
    return [Block(series, step * n + 1, step * n + step // 2, owned) for n in range(count)]
