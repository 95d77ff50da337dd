"""What the hub asked about our book, what we answered, and how each comparison ended, in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select

from connectors.party_registry.reconciliation_tables import (
    reconciliation_key,
    reconciliation_question,
    reconciliation_result,
)

__all__ = [
    "KeptResult",
    "add_question",
    "add_result",
    "fetch_key_id",
    "fetch_questions",
    "fetch_result",
    "fetch_sums_state",
    "list_results",
]

_QUESTIONS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeptResult:
    """One `reconciliation.result`; `body` is the notice as it was written."""

    result_id: int
    session: str
    log_index: int
    as_of: int
    received_at: str
    agreed: bool
    basis: str
    finding_count: int
    body: dict[str, Any]


def add_question(connection: Connection, **values: Any) -> None:
    """Note a question and its answer; the oldest of ten thousand is forgotten."""
    made = connection.execute(insert(reconciliation_question).values(**values))
    key = made.inserted_primary_key
    assert key is not None, "SQLite returns the key of an inserted row"
    table = reconciliation_question
    connection.execute(delete(table).where(table.c.question_id <= key[0] - _QUESTIONS_KEPT))


def fetch_key_id(connection: Connection, session: str) -> str | None:
    """Return the key that the cut of a session named, if it was answered here."""
    table = reconciliation_question
    return connection.execute(
        select(table.c.key_id)
        .where(table.c.session == session, table.c.key_id.is_not(None))
        .order_by(table.c.question_id.desc())
        .limit(1)
    ).scalar()


def fetch_questions(
    connection: Connection, *, session: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return up to `limit` questions with their answers, the last first."""
    query = select(reconciliation_question).order_by(reconciliation_question.c.question_id.desc())
    if session is not None:
        query = query.where(reconciliation_question.c.session == session)
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def fetch_sums_state(connection: Connection) -> dict[str, Any] | None:
    """Return under which key sums are kept, and since when; nothing if none are."""
    row = connection.execute(
        select(reconciliation_key.c.key_id, reconciliation_key.c.built_at)
    ).first()
    return None if row is None else {"key_id": row.key_id, "built_at": row.built_at}


def add_result(connection: Connection, body: dict[str, Any], at: str) -> None:
    """Keep how a comparison ended."""
    names = ("session", "log_index", "as_of", "agreed", "basis", "finding_count")
    values = {name: body[name] for name in names}
    raw = msgspec.json.encode(body)
    connection.execute(insert(reconciliation_result).values(**values, received_at=at, body=raw))


def list_results(
    connection: Connection, *, differing_only: bool = False, limit: int = 100
) -> list[KeptResult]:
    """Return up to `limit` results, the last first."""
    query = select(reconciliation_result).order_by(reconciliation_result.c.result_id.desc())
    if differing_only:
        query = query.where(~reconciliation_result.c.agreed)
    return [_result(row) for row in connection.execute(query.limit(limit)).mappings()]


def fetch_result(connection: Connection, session: str | None) -> KeptResult | None:
    """Return the result of a session, or without a session the last one; or nothing."""
    query = select(reconciliation_result).order_by(reconciliation_result.c.result_id.desc())
    if session is not None:
        query = query.where(reconciliation_result.c.session == session)
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _result(row)


def _result(row: RowMapping) -> KeptResult:
    return KeptResult(**{**row, "body": msgspec.json.decode(row["body"])})
