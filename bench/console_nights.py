"""Three years of nights and the cases they left: most closed, the open ones with frozen serials.

Every fourth open case is of the busiest registries; one has 1,000 ranges, as after a backup that
was restored at a registry. Serials are those that the ledger has at the registry now.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert

from bench.console_cast import HUB, Market, Size, owned_of, weights
from bench.console_deals import Block
from bench.console_traffic import Traffic
from bench.console_writing import Bulk
from hub.services.reconciliation.ledger.book_faults import OwnBooks
from hub.store.instants import to_milliseconds
from hub.store.reconciliation import tables
from message_schemas import json_codec
from reconciliation.case_words import records_summary, summary_of
from reconciliation.cases import NO_ANSWER, RECORD_DIFFERS, allowed_message
from reconciliation.discrepancies import Finding, FindingKind
from reconciliation.messages import finding_row
from reconciliation.owned import series_of

MANY_RANGES: Final = 1_000
QUESTION_NIGHTS: Final = 30
_KINDS: Final = (
    (FindingKind.LOST_MESSAGE.value, 22),
    (FindingKind.DOUBLED_MESSAGE.value, 8),
    (FindingKind.MISSING_AT_REGISTRY.value, 18),
    (FindingKind.MISSING_AT_LEDGER.value, 12),
    (FindingKind.ATTRIBUTE_DIFFERS.value, 10),
    (FindingKind.HELD_TWICE.value, 3),
    (FindingKind.ENDED_ON_ONE_SIDE.value, 7),
    (NO_ANSWER, 15),
    (RECORD_DIFFERS, 5),
)
_STATES: Final = (
    ("open", 50),
    ("acknowledged", 25),
    ("being_corrected", 15),
    ("awaiting_rerun", 10),
)
_SOUND: Final = OwnBooks(90, 4, 2, 100, 300, 12, 0.4)
_MINUTE: Final = 60_000


class Nights:
    """Makes nights, their sessions and cases. ``many`` is the case of a thousand ranges."""

    def __init__(
        self, bulk: Bulk, traffic: Traffic, market: Market, codes: Sequence[str], size: Size
    ) -> None:
        self.dice = random.Random(7)
        self.bulk = bulk
        self.traffic = traffic
        self.market = market
        self.codes = codes
        self.size = size
        self.many = ""
        self._finding_count = 0
        self._weights = weights()
        self._indices: dict[str, int] = {}
        self._acts: dict[str, list[int]] = {}
        self._cases = bulk.into(tables.case)
        self._ranges = bulk.into(tables.case_range)
        self._events = bulk.into(tables.case_event)
        self._findings = bulk.into(tables.finding)

    def note_day(self, day: datetime) -> None:
        """Remember where the log stood at the end of a day, and the acts of that day."""
        name = day.date().isoformat()
        self._indices[name] = self.traffic.head.log_index
        self._acts[name] = self.traffic.acts_of_day

    def write(self) -> None:
        """Write all nights, sessions and cases."""
        self._write_links()
        nights, sessions = self.bulk.into(tables.night), self.bulk.into(tables.session)
        questions, answers = self.bulk.into(tables.question), self.bulk.into(tables.answer)
        for place, day in enumerate(self.size.days):
            name = day.date().isoformat()
            due = to_milliseconds(day + timedelta(hours=1, minutes=30))
            if place % 211 == 7:
                nights.append((name, "missed", due, None, None, None, None))
                continue
            end = due + 20 * _MINUTE
            summary = json.dumps({"sessions": {"agreed": 150}, "not_compared": {}})
            nights.append((name, "finished", due, due, end, _SOUND.as_json(), summary))
            talks = place >= len(self.size.days) - QUESTION_NIGHTS
            for number, code in enumerate(self.codes[:-6]):
                cut = self._indices[name]
                row = self._session(code, name, cut, due + number * 1_000)
                sessions.append(row)
                if talks:
                    session = row[0]
                    body = json.dumps({"log_index": cut, "digest": "0" * 32, "filler": "x" * 150})
                    questions.append((session, 1, cut, "reconciliation.cut", body, due))
                    answers.append((session, 1, cut, "reconciliation.cut_ack", body, due + 500))
            self.bulk.write_full()
        self._write_cases()
        self.bulk.write_all()

    def _write_links(self) -> None:
        rows = self.bulk.into(tables.link)
        for place, code in enumerate(self.codes[:-6]):
            mode = ("digests", "digests", "digests", "totals", "statement")[place % 5]
            head = self.traffic.head.log_index
            at = to_milliseconds(self.size.last_day)
            rows.append((code, mode, 2026, b"\x01" * 8, head, b"\x02" * 16, at, head, head, at))

    def _session(self, code: str, night: str, cut: int, at: int) -> tuple[Any, ...]:
        chance = self.dice.random()
        state = "done" if chance < 0.985 else ("silent" if chance < 0.997 else "refused")
        agreed = self.dice.random() < 0.96 if state == "done" else None
        differs = agreed is False
        result = None if state != "done" else cut
        return (
            *(f"{code}-{cut}", code, night, None, "night", "digests", cut, f"{code}-2026", state),
            *(at, at + 240 * _MINUTE, at + 2_000, cut, agreed),
            *("blocks" if differs else "digests", 5 if differs else 1, 3 if differs else 0),
            *(result, None if state == "done" else "no answer came in time"),
        )

    # --- cases ---------------------------------------------------------------------------------

    def _write_cases(self) -> None:
        numbers: dict[str, int] = {}
        opened: list[tuple[datetime, bool]] = []
        days = self.size.days
        for _ in range(self.size.closed_cases):
            opened.append((self.dice.choice(days[:-5]), False))
        for _ in range(self.size.cases):
            back = min(len(days) - 1, int(self.dice.expovariate(1 / 45)))
            opened.append((days[-1 - back], True))
        opened.sort()
        largest = max(place for place, (_, is_open) in enumerate(opened) if is_open)
        for place, (day, is_open) in enumerate(opened):
            name = day.date().isoformat()
            numbers[name] = numbers.get(name, 0) + 1
            self._case(f"{name}/{numbers[name]}", day, is_open, place == largest)
            self.bulk.write_full()

    def _case(self, case_id: str, day: datetime, is_open: bool, is_many: bool) -> None:
        kind = _drawn(self.dice, _KINDS)
        (code,) = self.dice.choices(self.codes[:-6], self._weights[:-6])
        count = self.dice.choice((1, 1, 1, 2, 3, 8)) if is_open else 1
        if is_many:
            kind, code, count = FindingKind.MISSING_AT_REGISTRY.value, self.codes[0], MANY_RANGES
            self.many = case_id
        night = day.date().isoformat()
        index = self._indices[night]
        session = f"{code}-{index}"
        findings = [] if kind in (NO_ANSWER, RECORD_DIFFERS) else self._found(kind, code, count)
        if not findings and kind not in (NO_ANSWER, RECORD_DIFFERS):
            kind = NO_ANSWER
        if kind == NO_ANSWER:
            summary = "no comparison: no answer came in time"
        elif kind == RECORD_DIFFERS:
            summary = records_summary([f"{code}-1", f"{code}-2"])
        else:
            summary = summary_of(kind, findings)
        at = to_milliseconds(day + timedelta(hours=1, minutes=35))
        closed = None if is_open else at + self.dice.randint(1, 4) * 24 * 60 * _MINUTE
        state = _drawn(self.dice, _STATES) if is_open else "closed"
        assignee = f"officer-{self.dice.randint(1, 12)}" if self.dice.random() < 0.6 else None
        due = (day + timedelta(days=5)).date().isoformat()
        units = sum(one.quantity for one in findings)
        cause = findings[0] if findings else None
        self._cases.append(
            (
                *(case_id, code, kind, state, summary, units),
                *((None, None) if cause is None else (cause.cause_index, cause.reference)),
                *(assignee, due, at, session, session, closed or at, closed),
                *(None if is_open else session, int(self.dice.random() < 0.03)),
            )
        )
        self._write_ranges(case_id, findings, is_open, session)
        self._write_events(case_id, summary, at, closed, night)

    def _found(self, kind: str, code: str, count: int) -> list[Finding]:
        """Return findings over blocks that a registry holds, each its own run of serials."""
        held = self.traffic.holdings[code]
        if not held:
            return []
        count = min(count, len(held))
        start = self.dice.randrange(len(held))
        blocks = sorted(
            (held[(start + place) % len(held)] for place in range(count)), key=lambda one: one[:2]
        )
        return [self._finding(kind, one) for one in blocks]

    def _finding(self, kind: str, one: Block) -> Finding:
        ours, theirs = owned_of(one[3] - 1), owned_of(one[3] - 1)
        fields: tuple[str, ...] = ()
        ledger: tuple[Any, ...] = (ours,)
        registry: tuple[Any, ...] = ()
        if kind == FindingKind.MISSING_AT_LEDGER.value:
            ledger, registry = (), (theirs,)
        elif kind == FindingKind.ATTRIBUTE_DIFFERS.value:
            registry, fields = ((*theirs[:6], "Fisheries", *theirs[7:]),), ("sector",)
        elif kind == FindingKind.ENDED_ON_ONE_SIDE.value:
            registry, fields = (owned_of(one[3] - 1, "used"),), ("status",)
        elif kind == FindingKind.HELD_TWICE.value:
            registry = (theirs, theirs)
        found = Finding(
            FindingKind(kind),
            series_of(self.market.series[one[0]]),
            one[1],
            one[2],
            ledger,
            registry,
            fields,
        )
        if kind in (FindingKind.LOST_MESSAGE.value, FindingKind.DOUBLED_MESSAGE.value):
            cause = self.dice.randrange(1_000, self.traffic.head.log_index)
            found = replace(found, cause_index=cause, reference=f"{one[4]}-{cause % 1_000 + 1}")
        return found

    def _write_ranges(
        self, case_id: str, findings: Sequence[Finding], is_open: bool, session: str
    ) -> None:
        for number, one in enumerate(findings, 1):
            body = json_codec.encode(finding_row(one, case_id, is_open)).decode()
            self._ranges.append(
                (
                    *(case_id, number, *one.series, one.first, one.last),
                    *(body, is_open, allowed_message(one)),
                )
            )
            # A session may have the findings of several cases: numbers are given over all.
            self._finding_count += 1
            self._findings.append((session, self._finding_count, one.kind.value, body, case_id))

    def _write_events(
        self, case_id: str, summary: str, at: int, closed: int | None, night: str
    ) -> None:
        found: list[tuple[str, str, str]] = [("opened", HUB, summary)]
        person = f"officer-{self.dice.randint(1, 12)}"
        for kind, text in (
            ("acknowledge", "seen"),
            ("assign", person),
            ("note", "The registry was called and looks at its backup of that morning."),
            ("explain", "A restored backup; the entries are made again."),
            ("ask_rerun", "corrected at the registry"),
        )[: self.dice.randint(0, 5)]:
            found.append((kind, person, text))
        if closed is not None:
            found.append(("closed", HUB, "Both sides agree as of the session."))
        acts = self._acts[night] or [self._indices[night]]
        for number, (kind, actor, text) in enumerate(found, 1):
            index = self._indices[night] if actor == HUB else self.dice.choice(acts)
            when = at if number == 1 else (closed or at) - (len(found) - number) * _MINUTE
            self._events.append((case_id, number, index, max(at, when), actor, kind, text))

    def plant_late_news(self) -> None:
        """Plant what is not of a night: a request that waits."""
        self.bulk.connection.execute(
            insert(tables.request).values(
                asked_at=datetime.now(UTC),
                actor="officer-1",
                registry=self.codes[3],
                state="waiting",
            )
        )


def _drawn(dice: random.Random, choices: Sequence[tuple[str, int]]) -> str:
    names, weight = zip(*choices, strict=True)
    drawn: str = dice.choices(names, weight)[0]
    return drawn
