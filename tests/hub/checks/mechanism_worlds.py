"""What the mechanism registry says of units after their issuance, for the checks.

Each function makes a body that passes every check in the plain world, or close to it.
"""

from typing import Any

from message_schemas.blocks import Block
from message_schemas.messages import actions, article64
from tests.hub.checks.worlds import a64_block, cancel, use, with_blocks


def authorization_change(*blocks: Block, **changes: Any) -> article64.A64AuthorizationChange:
    """Return the later authorization of A6.4ERs: 93 held, 5 for adaptation, 2 for OMGE."""
    units = blocks or (a64_block(1, 93), a64_block(94, 98), a64_block(99, 100))
    shares = (
        article64.AdjustedShare(kind="sop_adaptation", account="FUND", ranges=(units[1].range,)),
        article64.AdjustedShare(kind="omge", account="OMGE", ranges=(units[2].range,)),
    ) if len(units) == 3 else ()  # fmt: skip  # a choice, not a call
    fields: dict[str, Any] = {
        "change_id": "XMR01-2",
        "issuance_id": "XMR01-7",
        "activity_id": "A64-1",
        "cooperative_approach": "CA0001",
        "changed_at": "2026-11-21T00:00:00.000Z",
        "shares": shares,
    }
    return article64.A64AuthorizationChange(**with_blocks(units, fields | changes))


def retirement(*blocks: Block, **changes: Any) -> actions.ActionUse:
    """Return the retirement of A6.4ERs in the mechanism registry for Switzerland's NDC."""
    fields: dict[str, Any] = {
        "action_id": "XMR01-3",
        "account": "CHE-M-1",
        "account_party": "CHE",
        "issuance_id": "XMR01-7",
    }
    return use(*(blocks or (a64_block(),)), **(fields | changes))


def cancelled_there(*blocks: Block, **changes: Any) -> actions.ActionCancellation:
    """Return a cancellation for OMGE in the mechanism registry, by Switzerland."""
    fields: dict[str, Any] = {
        "action_id": "XMR01-4",
        "kind": "omge",
        "account": "CHE-M-1",
        "account_party": "CHE",
        "issuance_id": "XMR01-7",
    }
    return cancel(*(blocks or (a64_block(),)), **(fields | changes))
