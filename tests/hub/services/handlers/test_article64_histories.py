"""Random histories of an issuance against a real ledger: whatever comes, in whatever order.

1. No more leaves an issuance than was authorized, then or since.
2. Nothing leaves before both shares did.
3. The host Party hears of each first transfer once, and of nothing else.
"""

import json
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.checks.article64 import authorized_shares
from hub.checks.facts import IssuanceRecord
from hub.services.handlers.article64 import issuance_of
from hub.store import mailboxes, reference
from message_schemas import json_codec
from tests.hub.services.handlers.test_article64 import ISSUANCE, mechanism_world
from tests.hub.services.handlers.test_article64_changes import named, units
from tests.hub.world import HUB, World
from tests.integration.peers import Said

__all__ = ["mechanism_world"]

ISSUED = 100
PUSHES = {"sop_adaptation": "AF-1", "omge": "OMGE-1", "forwarding": "CHE-1"}
_NUMBERS = count(1_000)
_MAILBOX_PLACES: Counter[int] = Counter()

quantities = st.sampled_from((0, 1, 2, 3, 5, 10, 20, 60))
acts = st.lists(
    st.tuples(
        st.sampled_from((*PUSHES, *PUSHES, "retirement", "cancellation", "change", "repeat")),
        quantities,
        st.sampled_from((0, 1, 2, 3, 5)),
        st.sampled_from((0, 1, 2)),
    ),
    min_size=3,
    max_size=14,
)


class History:
    """The messages of one issuance, numbered and with serials of their own."""

    def __init__(self, authorized: int, stated: tuple[int, int] | None) -> None:
        self.number = next(_NUMBERS)
        self.issuance_id = f"XMR01-{self.number}"
        self._serial = self.number * 10_000 + 1
        self._act = count(self.number * 1_000)
        self.said: list[Said] = []
        body: dict[str, Any] = ISSUANCE[1] | {
            "issuance_id": self.issuance_id,
            "issued_quantity": ISSUED,
            "authorized_quantity": authorized,
            "sop_quantity": 5,
            "omge_quantity": 2,
        }
        if stated is not None:
            body |= {
                "sop_contribution_quantity": stated[0],
                "omge_contribution_quantity": stated[1],
            }
        self.notice: Said = (ISSUANCE[0], body)

    def add(self, kind: str, *parts: int) -> None:
        """Add an act; one without units is none."""
        if kind == "repeat":
            self.said.extend(self.said[-1:])
        elif kind == "change":
            self._change(*parts)
        elif parts[0]:
            block = self._units(parts[0])
            self.said.append(self._push(kind, block) if kind in PUSHES else self._end(kind, block))

    def _units(self, quantity: int) -> dict[str, Any]:
        first, self._serial = self._serial, self._serial + quantity
        return units(first, first + quantity - 1)

    def _common(self, block: dict[str, Any]) -> dict[str, Any]:
        return {
            "issuance_id": self.issuance_id,
            "cooperative_approach": "CA0001",
            "quantity": block["quantity"],
            "blocks": [block],
        }

    def _push(self, kind: str, block: dict[str, Any]) -> Said:
        body = self._common(block) | {
            "first_transfer_id": f"XMR01-{next(self._act)}",
            "kind": kind,
            "activity_id": "A64-TH-0001",
            "acquiring_account": PUSHES[kind],
            "authorization_status": "authorized",
        }
        return "a64.first_transfer", body

    def _end(self, kind: str, block: dict[str, Any]) -> Said:
        own = {
            "action_id": f"XMR01-{next(self._act)}",
            "account": "CHE-M-1",
            "account_party": "CHE",
        }
        body = self._common(block) | own
        if kind == "retirement":
            return "action.use", body | {
                "purpose": "NDC",
                "using_party": "CHE",
                "calendar_year": 2025,
            }
        return "action.cancellation", body | {"kind": "omge", "cancelling_party": "CHE"}

    def _change(self, held: int, sop: int, omge: int) -> None:
        blocks = [self._units(quantity) if quantity else None for quantity in (held, sop, omge)]
        shares = [
            {"kind": kind, "account": PUSHES[kind], "ranges": [named(block)]}
            for kind, block in zip(("sop_adaptation", "omge"), blocks[1:], strict=True)
            if block is not None
        ]
        there = [block for block in blocks if block is not None]
        if not there:
            return
        body: dict[str, Any] = {
            "change_id": f"XMR01-{next(self._act)}",
            "issuance_id": self.issuance_id,
            "activity_id": "A64-TH-0001",
            "cooperative_approach": "CA0001",
            "changed_at": "2026-06-01T09:00:00.000Z",
            "quantity": sum(block["quantity"] for block in there),
            "blocks": there,
        }
        if shares:
            body["shares"] = shares
        self.said.append(("a64.authorization_change", body))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    authorized=st.sampled_from((0, 30, 50, 93, 100)),
    stated=st.none() | st.sampled_from(((0, 0), (2, 1), (5, 2))),
    history=acts,
)
def test_no_history_credits_more_than_was_authorized_or_before_the_shares(
    mechanism_world: World,
    authorized: int,
    stated: tuple[int, int] | None,
    history: list[tuple[str, int, int, int]],
) -> None:
    """The ledger, the issuance's counts, and what the host Party was told agree, act by act."""
    story = History(authorized, stated)
    for kind, *parts in history:
        story.add(kind, *parts)
    if not story.said:
        return
    receipt = mechanism_world.say("XMR01", HUB, story.notice, *story.said)
    taken = receipt["outcomes"][0]["outcome"] == "accepted"
    told: Counter[tuple[str, str]] = Counter()
    credited, may_leave, rest_left = 0, authorized, False
    for (type_, body), outcome in zip(story.said, receipt["outcomes"][1:], strict=True):
        if outcome["outcome"] != "accepted":
            continue
        assert taken
        if type_ == "a64.authorization_change":
            may_leave += body["quantity"]
            for share in body.get("shares", []):
                told[body["change_id"], share["kind"]] += 1
                credited += _length(share["ranges"][0])
            continue
        credited += body["quantity"]
        own = body.get("first_transfer_id") or body["action_id"]
        told[own, body.get("kind", "use")] += 1
        rest_left = rest_left or body.get("kind") not in {"sop_adaptation", "omge"}
    if not taken:
        assert not told
        return
    record = _record(mechanism_world, story)
    due = authorized_shares(record)
    assert credited == record.sop_done + record.omge_done + record.forwarded
    assert credited <= may_leave == record.authorized_now <= ISSUED
    if rest_left and not record.authorized_later:
        assert (record.sop_done >= due.sop, record.omge_done >= due.omge) == (True, True)
    assert _units_in_ledger(mechanism_world, story) == credited
    assert Counter(reference for reference, _ in _new_notices(mechanism_world)) == Counter(
        reference for reference, _ in told.elements()
    )


def _length(range_: dict[str, str]) -> int:
    first, last = (int(range_[name].split("-")[3]) for name in ("first_id", "last_id"))
    return last - first + 1


def _record(world: World, story: History) -> IssuanceRecord:
    """Return the issuance as the database has it."""
    with world.database.reading() as connection:
        row = reference.issuances(connection, [story.issuance_id])[story.issuance_id]
    body = json_codec.decode_body("a64.issuance_notice", 1, json.loads(row.body))
    names = ("sop_done", "omge_done", "forwarded", "authorized_later", "sop_later", "omge_later")
    return replace(issuance_of(body), **{name: getattr(row, name) for name in names})


def _units_in_ledger(world: World, story: History) -> int:
    low, high = story.number * 10_000, (story.number + 1) * 10_000
    return sum(last - first + 1 for first, last, *_ in world.blocks() if low < first < high)


def _new_notices(world: World) -> list[tuple[str, str]]:
    """Return (reference, event) of the notices to the host Party since the last look."""
    place = id(world)
    with world.database.reading() as connection:
        items = mailboxes.items_after(connection, "THA01", _MAILBOX_PLACES[place], 10_000)
    if items:
        _MAILBOX_PLACES[place] = items[-1].item.sequence
    return [
        (notice["body"]["reference"], notice["body"]["event"])
        for one in items
        for notice in json.loads(one.item.notices or "[]")
        if notice["type"] == "first_transfer.notice"
    ]
