"""The table of questions asked of the mechanism registry, and of the answers to them.

A row tells one question: `waiting` until the answer has come, `refused` if the hub did not hand it
on, `answered` with the answer and where its evidence is: the envelope that carried it is in the
inbox, by its digest, with the hub's log index.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from connectors.party_registry.tracking_tables import METADATA

__all__ = ["asked_question"]

asked_question: Final = Table(
    "asked_question",
    METADATA,
    Column("message_id", String(36), primary_key=True),
    Column("recipient", String(5), nullable=False),
    Column("type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, refused, answered
    Column("asked_at", String(24), nullable=False),
    Column("reason", Text),  # why it was refused
    Column("answer", LargeBinary),
    Column("answered_at", String(24)),
    Column("answer_log_index", Integer),
    Column("answer_envelope_sha256", String(64)),
    Index("asked_question_asked_at", "asked_at"),
)
