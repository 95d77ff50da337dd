"""What an act looks like in the log: one document that says who did what, when and why.

The document is the content the entry commits to, written once. Statements that administrators
signed with their own keys stand in it whole, so that it can be checked without the hub.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from hub.store.envelopes import ActRow
from hub.transparency_log.entries import SALT_BYTES
from message_schemas import timestamps

FORMAT: Final = "itmo-act/1"


def new_salt() -> bytes:
    """Return the salt of a new entry: 16 random bytes."""
    return os.urandom(SALT_BYTES)


def act_row(
    log_index: int,
    *,
    at: datetime,
    kind: str,
    actor: str,
    subject: str,
    reason: str,
    detail: Mapping[str, Any],
    statements: Sequence[bytes] = (),
) -> ActRow:
    """Return an act to record. ``statements`` are what administrators signed for it (JWS).

    Each is of another administrator: ``eyes`` in the document is how many looked at it.
    """
    document = {
        "format": FORMAT,
        "log_index": log_index,
        "at": timestamps.render(at),
        "kind": kind,
        "actor": actor,
        "subject": subject,
        "reason": reason,
        "detail": detail,
        "eyes": len(statements),
        "statements": [statement.decode() for statement in statements],
    }
    return ActRow(
        log_index=log_index,
        at=at,
        kind=kind,
        actor=actor,
        subject=subject,
        reason=reason,
        detail=msgspec.json.encode(detail, order="sorted").decode(),
        document=msgspec.json.encode(document),
        salt=new_salt(),
    )
