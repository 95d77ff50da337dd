"""What an act looks like in the log: one document that says who did what, when and why; its leaf.

The document is the content the entry commits to, written once. Statements that administrators
signed with their own keys stand in it whole, so that it can be checked without the hub.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.store import acts, log
from hub.store import head as heads
from hub.store.acts import ActRow
from hub.store.head import Head
from hub.store.log import PendingEntry
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


def act_leaf(act: ActRow, hub: str, told: Iterable[str]) -> PendingEntry:
    """Return the leaf of an act: the hub's own word, whoever at the hub did it."""
    return PendingEntry(
        index=act.log_index,
        kind="act",
        at=act.at,
        sender=hub,
        recipient=hub,
        parties=sorted(told),
        salt=act.salt,
        contents={"act": act.document},
    )


def record_act(
    connection: Connection,
    head: Head,
    act: ActRow,
    *,
    hub: str,
    told: Iterable[str] = (),
    trust_changes: bool = False,
    reference_changes: bool = False,
) -> None:
    """Write an act that has an entry of the log to itself, and advance the head.

    ``told`` are the participants that got an item of it; what changed is loaded again everywhere.
    """
    acts.add(connection, [act])
    after = replace(
        head,
        log_index=act.log_index,
        compact_range=log.append(connection, head, [act_leaf(act, hub, told)]),
        trust_version=head.trust_version + trust_changes,
        reference_version=head.reference_version + reference_changes,
    )
    heads.advance(connection, head, after)
