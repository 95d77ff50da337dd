"""Three years of exchange, day by day: what was sent, what became of it, what the log says of it.

1. An envelope proposes some transfers to one registry and is answered in one, hours later: nearly
   always accepted. What the hub passes on fills mailboxes; every few items make a delivery.
2. The log is the real one: each day's entries are appended by the hub's own code, and the
   settlement is a checkpoint signed with the hub's key.
3. Bodies of the last 30 days are there, signed by their senders; older ones were erased.
"""

import heapq
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from bench.console_cast import BODY_DAYS, HUB, Market, Size, weights
from bench.console_deals import Block, Deal, Talk, answered, proposed
from bench.console_writing import Bulk, Row
from hub.protocol.signed_objects import SigningKeys
from hub.services import log_keys
from hub.services.acts import act_row
from hub.store import head as heads
from hub.store import log as log_store
from hub.store import log_checkpoints
from hub.store.head import Head
from hub.store.instants import from_milliseconds, to_milliseconds
from hub.store.log import PendingEntry
from hub.store.log_checkpoints import StoredCheckpoint
from hub.store.tables import (
    act,
    delivery,
    envelope,
    mailbox_item,
    posting,
    transfer,
    unit_block,
)
from hub.transparency_log.compact_range import CompactRange
from message_schemas import timestamps
from tests.integration.peers import seeded_signer

ORIGIN: Final = "itmo-hub.invalid/xhb01"
_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
_OUTCOMES: Final = ("completed", "rejected", "cancelled", "expired")
_OUTCOME_WEIGHTS: Final = (0.93, 0.03, 0.015, 0.025)
_BLOCK_COLUMNS: Final = (
    *("block_id", "series_id", "first_serial", "last_serial", "attributes_id"),
    *("registry", "account", "status", "first_transfer", "reserved_by"),
)


@dataclass(slots=True)
class Mail:
    """A registry's mailbox while it fills."""

    last: int = 0
    stored: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    is_stuck: bool = False


class Traffic:
    """Makes the days one after the other; ``holdings`` and ``head`` are what they leave."""

    def __init__(
        self, bulk: Bulk, market: Market, codes: Sequence[str], size: Size, seed: int = 6
    ) -> None:
        self.dice = random.Random(seed)
        self.bulk = bulk
        self.market = market
        self.codes = codes
        self.size = size
        self.head: Head = heads.read(bulk.connection)
        self.holdings: dict[str, list[Block]] = {code: [] for code in codes}
        self.ended: list[Block] = []
        self.mail = {code: Mail() for code in codes}
        self.acts_of_day: list[int] = []
        self._next_serial = dict.fromkeys(market.series, 1)
        self._numbers = dict.fromkeys(codes, 0)
        self._due: list[tuple[int, int, Talk]] = []
        self._entries: list[PendingEntry] = []
        self._index = self.head.log_index
        self._envelopes = 0
        self._posted = (-1, 0)
        self._bodies = False
        self._keys = log_keys.choose(ORIGIN, [seeded_signer(HUB)], None, None)
        self._signing = {code: SigningKeys.of([seeded_signer(code)]) for code in (*codes, HUB)}
        self._weights = weights()
        self._into = {
            table.name: bulk.into(table) for table in (envelope, posting, mailbox_item, act)
        }
        self._transfers = bulk.into(transfer)
        self._deliveries = bulk.into(delivery)

    # --- days ----------------------------------------------------------------------------------

    def run(self) -> Iterator[int]:
        """Make all days; yield after each, with how many transfers were proposed so far."""
        shares = [
            (0.4 + 1.2 * place / len(self.size.days)) * (0.15 if day.weekday() > 4 else 1.0)
            for place, day in enumerate(self.size.days)
        ]
        total, made = sum(shares), 0
        for place, day in enumerate(self.size.days):
            self._bodies = place >= len(shares) - BODY_DAYS
            if place >= len(shares) - 3:
                for code in self.codes[10:60:9]:
                    self.mail[code].is_stuck = True
            wanted = round(self.size.transfers * sum(shares[: place + 1]) / total) - made
            made += wanted
            self._day(to_milliseconds(day), wanted)
            self.bulk.write_full()
            self._append(day)
            yield made
        self._leave_open()
        self._write_blocks()

    def _day(self, midnight: int, wanted: int) -> None:
        self.acts_of_day = []
        self._act(midnight)
        starts: list[tuple[int, int]] = []
        while wanted > 0:
            count = min(wanted, self.dice.choice((1, 1, 2, 3, 5, 8, 20)))
            wanted -= count
            # Most is done in the working hours of somewhere.
            starts.append((midnight + int(self.dice.triangular(0, _DAY, 11 * _HOUR)), count))
        for at, count in sorted(starts):
            self._answer_until(at)
            self._propose(at, count)
            if self.dice.random() < 0.04:
                self._use(at)
            if self.dice.random() < 0.1:
                self._act(at)
        self._answer_until(midnight + _DAY - 1)

    def _answer_until(self, until: int) -> None:
        while self._due and self._due[0][0] <= until:
            at, _, talk = heapq.heappop(self._due)
            self._answer(at, talk)

    # --- what happens --------------------------------------------------------------------------

    def _propose(self, at: int, count: int) -> None:
        initiator, acquirer = self.dice.choices(self.codes[:-6], self._weights[:-6], k=2)
        if initiator == acquirer:
            acquirer = self.codes[(self.codes.index(acquirer) + 1) % (len(self.codes) - 6)]
        deals = [self._deal(initiator, acquirer) for _ in range(count)]
        talk = Talk(initiator, acquirer, deals, at)
        said = [proposed(self.market, deal) for deal in deals] if self._bodies else ()
        talk.index, talk.digest = self._envelope(at, initiator, acquirer, said)
        for deal in deals:
            for one in deal.blocks:
                one[7] = deal.transfer_id
                kinds = ("introduced", "reserved") if deal.is_first else ("reserved",)
                for kind in kinds:
                    self._post(talk.index, (kind, one), deal, initiator, initiator)
        patience = min(23 * _HOUR, int(self.dice.expovariate(1 / (5 * _HOUR))))
        if any(deal.outcome == "expired" for deal in deals):
            patience = _DAY
        heapq.heappush(self._due, (at + 60_000 + patience, talk.index, talk))

    def _deal(self, initiator: str, acquirer: str) -> Deal:
        self._numbers[initiator] += 1
        held = self.holdings[initiator]
        is_first = not held or self.dice.random() < 0.72
        if is_first:
            blocks = self._new_blocks(initiator)
        else:
            place = self.dice.randrange(len(held))
            held[place], held[-1] = held[-1], held[place]
            blocks = [held.pop()]
        return Deal(
            f"{initiator}-{self._numbers[initiator]}",
            blocks,
            is_first,
            self.dice.choices(_OUTCOMES, _OUTCOME_WEIGHTS)[0],
            f"{initiator[:3]}-{self.dice.randint(1, 20)}",
            f"{acquirer[:3]}-{self.dice.randint(1, 20)}",
            self.dice.choice(("NDC", "NDC", "IMP", "OP")),
        )

    def _new_blocks(self, registry: str) -> list[Block]:
        number = self.dice.choice(self.market.of_registry[registry])
        made: list[Block] = []
        for _ in range(self.dice.choice((1, 1, 1, 1, 2, 3))):
            first = self._next_serial[number]
            last = first + self.dice.choice((0, 9, 99, 499, 999, 4_999)) + self.dice.randrange(50)
            self._next_serial[number] = last + (1 if self.dice.random() < 0.9 else 40)
            lot = self.market.lots[(number + self.dice.randrange(2)) % len(self.market.lots)]
            made.append([number, first, last, lot, registry, None, "authorized", None])
        return made

    def _answer(self, at: int, talk: Talk) -> None:
        by_outcome: dict[str, list[Deal]] = {}
        for deal in talk.deals:
            by_outcome.setdefault(deal.outcome, []).append(deal)
        for outcome, deals in by_outcome.items():
            if outcome == "expired":
                index = self._entry_of_act(at, "transfers.expired", HUB, HUB, "deadline passed")
            else:
                by_acquirer = outcome != "cancelled"
                sender = talk.acquirer if by_acquirer else talk.initiator
                recipient = talk.initiator if by_acquirer else talk.acquirer
                said = [answered(outcome, deal, talk) for deal in deals] if self._bodies else ()
                index, _ = self._envelope(at, sender, recipient, said)
            for deal in deals:
                self._close(at, talk, deal, index)

    def _close(self, at: int, talk: Talk, deal: Deal, index: int) -> None:
        completed = deal.outcome == "completed"
        for one in deal.blocks:
            one[7] = None
            if completed:
                self._post(index, ("moved", one), deal, talk.initiator, talk.acquirer)
                one[4], one[5], one[6] = talk.acquirer, deal.to_account, "itmo"
                self.holdings[talk.acquirer].append(one)
            else:
                kinds = ("released", "withdrawn") if deal.is_first else ("released",)
                for kind in kinds:
                    self._post(index, (kind, one), deal, talk.initiator, talk.initiator)
                if not deal.is_first:
                    self.holdings[talk.initiator].append(one)
        self._transfers.append(self._row(talk, deal, deal.outcome, index, at))

    def _use(self, at: int) -> None:
        """Let a registry use half of a block that it holds."""
        (code,) = self.dice.choices(self.codes, self._weights)
        if not self.holdings[code]:
            return
        one = self.dice.choice(self.holdings[code])
        if one[2] == one[1] or one[7] is not None:
            return
        middle = (one[1] + one[2]) // 2
        index, _ = self._envelope(at, code, HUB, ())
        used = [one[0], one[1], middle, one[3], code, one[5], "used", None]
        one[1] = middle + 1
        self.ended.append(used)
        deal = Deal(f"{code}-USE-{index}", [used], False, "used", "", "", "NDC")
        self._post(index, ("used", used), deal, code, code)

    def _act(self, at: int) -> None:
        kind = self.dice.choice(
            ("case.acknowledge", "case.assign", "case.note", "case.ask_rerun", "account.open")
        )
        actor = f"officer-{self.dice.randint(1, 12)}"
        subject = self.dice.choice(self.codes)
        self.acts_of_day.append(self._entry_of_act(at, kind, actor, subject, "daily work"))

    # --- rows ----------------------------------------------------------------------------------

    def _row(self, talk: Talk, deal: Deal, state: str, closed: int | None, at: int | None) -> Row:
        approach = self.market.series[deal.blocks[0][0]].cooperative_approach
        return (
            *(deal.transfer_id, "move", talk.initiator, talk.acquirer, state),
            *("first_transfer" if deal.is_first else "transfer", approach),
            *(deal.from_account, deal.to_account, None, deal.purpose, deal.quantity),
            *(talk.proposed_at + _DAY, talk.digest, talk.index, talk.proposed_at, closed, at),
        )

    def _post(self, index: int, what: tuple[str, Block], deal: Deal, from_: str, to: str) -> None:
        kind, one = what
        self._posted = (index, self._posted[1] + 1 if self._posted[0] == index else 0)
        moved = kind == "moved"
        to_account = deal.to_account if moved else deal.from_account
        self._into["posting"].append(
            (
                *(*self._posted, kind, one[0], one[1], one[2], one[3]),
                *(from_ if kind != "introduced" else None, deal.from_account, to, to_account),
                *(deal.transfer_id, "international_transfer" if moved else None, None),
                *(None, None, one[6] if moved else None, not deal.is_first if moved else None),
            )
        )

    def _envelope(
        self, at: int, sender: str, recipient: str, said: Sequence[tuple[str, dict[str, Any]]]
    ) -> tuple[int, str]:
        """Record an envelope, its receipt and what it puts in mailboxes; return index, digest."""
        self._index += 1
        self._envelopes += 1
        index, at_ = self._index, from_milliseconds(at)
        salt = self._envelopes.to_bytes(16, "big")
        envelope_id = str(UUID(int=(at << 80) + (7 << 76) + (2 << 62) + self._envelopes))
        body, receipt = self._signed(at_, envelope_id, sender, recipient, said)
        digest = sha256(body).hexdigest()
        parties = sorted({sender, recipient} - {HUB})
        contents = {"envelope": body, "receipt": receipt}
        self._entries.append(
            PendingEntry(index, "envelope", at_, sender, recipient, parties, salt, contents)
        )
        kept = (salt, body, receipt) if self._bodies else (None, None, None)
        key_ids = self._signing[sender].signers[0].key_id
        self._into["envelope"].append(
            (index, sender, envelope_id, digest, recipient, at, key_ids, False, *kept)
        )
        for code in parties if recipient != HUB else ():
            self._mail(at, code, index, carries=code == recipient)
        return index, digest

    def _signed(
        self,
        at: datetime,
        envelope_id: str,
        sender: str,
        recipient: str,
        said: Sequence[tuple[str, dict[str, Any]]],
    ) -> tuple[bytes, bytes]:
        """Return the bytes of an envelope and its receipt; of erased ones something as long."""
        if not self._bodies:
            return envelope_id.encode(), sender.encode()
        messages = [
            {
                "message_id": str(UUID(int=UUID(envelope_id).int + place + 1)),
                "type": type_,
                "version": 1,
                "body": body,
            }
            for place, (type_, body) in enumerate(said)
        ]
        payload = {
            "protocol": "itmo-exchange/1",
            "envelope_id": envelope_id,
            "sender": sender,
            "recipient": recipient,
            "sent_at": timestamps.render(at),
            "messages": messages,
        }
        raw = self._signing[sender].seal("envelope", payload)
        answer = {
            "protocol": "itmo-exchange/1",
            "receipt_for": envelope_id,
            "envelope_sha256": sha256(raw).hexdigest(),
            "sender": HUB,
            "recipient": sender,
            "received_at": timestamps.render(at),
            "log_index": self._index,
            "outcomes": [
                {"message_id": one["message_id"], "outcome": "accepted", "code": 0}
                for one in messages
            ],
        }
        return raw, self._signing[HUB].seal("receipt", answer)

    def _mail(self, at: int, code: str, index: int, *, carries: bool) -> None:
        box = self.mail[code]
        box.last += 1
        verdicts = json.dumps([{"outcome": "accepted", "code": 0}]) if carries else None
        self._into["mailbox_item"].append((code, box.last, index, at, carries, verdicts, "[]"))
        if box.is_stuck or box.last - box.stored < self.dice.randint(1, 8):
            return
        self._index += 1
        made_at, first = from_milliseconds(at), box.stored + 1
        salt = self._index.to_bytes(16, "big")
        payload = {
            "protocol": "itmo-exchange/1",
            "sender": HUB,
            "recipient": code,
            "first_sequence": first,
            "last_sequence": box.last,
            "log_index": self._index,
            "created_at": timestamps.render(made_at),
            "items": [],
        }
        body = self._signing[HUB].seal("delivery", payload) if self._bodies else salt
        contents = {"delivery": body}
        self._entries.append(
            PendingEntry(self._index, "delivery", made_at, HUB, code, [code], salt, contents)
        )
        kept = (salt, body) if self._bodies else (None, None)
        digest = sha256(body).hexdigest()
        self._deliveries.append(
            (code, first, box.last, self._index, digest, at, at + 900, self._index + 1, *kept)
        )
        box.stored = box.last
        self._envelope(at, code, HUB, ())

    def _entry_of_act(self, at: int, kind: str, actor: str, subject: str, reason: str) -> int:
        self._index += 1
        made = act_row(
            self._index,
            at=from_milliseconds(at),
            kind=kind,
            actor=actor,
            subject=subject,
            reason=reason,
            detail={"bench": True},
        )
        self._entries.append(
            PendingEntry(
                self._index, "act", made.at, HUB, HUB, [], made.salt, {"act": made.document}
            )
        )
        self._into["act"].append(
            (
                made.log_index,
                at,
                kind,
                actor,
                subject,
                reason,
                made.detail,
                *(made.document, made.salt),
            )
        )
        return self._index

    # --- the end -------------------------------------------------------------------------------

    def _append(self, day: datetime) -> None:
        """Append the day's entries to the log, move the head, and sign the settlement."""
        connection = self.bulk.connection
        compact = log_store.append(connection, self.head, self._entries)
        versions = (self.head.trust_version, self.head.reference_version)
        after = Head(self._index, compact, 10**9, *versions)
        heads.advance(connection, self.head, after)
        self.head = after
        self._entries.clear()
        at = day + timedelta(days=1, seconds=-1)
        root = CompactRange.from_bytes(self._index + 1, compact).root()
        note = self._keys.sign(self._index + 1, root)
        log_checkpoints.add(
            connection, StoredCheckpoint(self._index + 1, root, at, note, settlement=True)
        )

    def _leave_open(self) -> None:
        for _, _, talk in self._due:
            for deal in talk.deals:
                self._transfers.append(self._row(talk, deal, "proposed", None, None))
                self.ended.extend(deal.blocks)

    def _write_blocks(self) -> None:
        rows = self.bulk.into(unit_block, _BLOCK_COLUMNS)
        held = (one for blocks in self.holdings.values() for one in blocks)
        number = 0
        for blocks in (held, self.ended):
            for one in blocks:
                number += 1
                first_transfer = None if one[6] == "authorized" else "international_transfer"
                rows.append((number, *one[:7], first_transfer, one[7]))
                if number % 20_000 == 0:
                    self.bulk.write_full()
        self.bulk.write_all()
