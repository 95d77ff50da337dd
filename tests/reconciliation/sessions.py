"""Two sides at rest, for tests that say themselves what differs: books in, an outcome out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from reconciliation.books import LedgerBook
from reconciliation.compare import Limits
from reconciliation.digests import EdgeHasher
from reconciliation.explain import Explainer
from reconciliation.messages import Cut, Question, answer_from_json
from reconciliation.movements import Movement, Piece
from reconciliation.owned import Block, Owned, Series
from reconciliation.responder import Responder
from reconciliation.run_states import Comparison, Outcome
from tests.reconciliation.worlds import SERIES, Grid, RegistryBook, values

KEY, KEY_ID = bytes(range(64)), "CHE02-2026"
A, B, C = SERIES
X, Y = values(0), values(1)
USED = values(0, "used")


@dataclass
class Sides:
    """A ledger's book, a registry's, and what was said between them."""

    ledger: LedgerBook
    book: RegistryBook
    explainer: Explainer = field(default_factory=Explainer)
    questions: list[Question] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def move(self, index: int, *pieces: Piece) -> Movement:
        """Let the ledger apply a movement; the registry does not hear of it."""
        movement = Movement(index, f"T-{index}", pieces)
        self.explainer.add(movement, self.ledger.apply(movement))
        return movement

    def comparison(self, index: int, **options: Any) -> Comparison:
        """Return a session at a cut."""
        return Comparison(
            Cut("S", 1, index, KEY_ID),
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
            self.answers.append(side.answer(json.loads(json.dumps(question.as_json()))))
            question = comparison.receive(
                answer_from_json(json.loads(json.dumps(self.answers[-1])))
            )
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
