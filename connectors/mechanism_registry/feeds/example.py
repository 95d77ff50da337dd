"""A plausible feed of any length, made from a seed: for demonstrations, tests and benchmarks.

Issuances follow each other; each is one activity's units of one vintage, with its issuance line,
its adaptation and OMGE blocks, then its forwarding blocks. Serials run on without a gap within a
vintage. All names and quantities are made up. The same seed gives the same bytes.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TextIO
from xml.sax.saxutils import escape

from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.rows import (
    BlockKind,
    IssuanceLine,
    Row,
    UnitBlockLine,
    record_of,
)
from connectors.mechanism_registry.issuances.shares import ShareRules

ISSUED_UNITS_MIN: Final = 1_000
ISSUED_UNITS_MAX: Final = 60_000
BLOCKS_PER_ISSUANCE_MAX: Final = 40
COLUMN_ORDER: Final = tuple(
    dict.fromkeys(
        ["record"]
        + [field.name for field in fields(UnitBlockLine)]
        + [field.name for field in fields(IssuanceLine)]
    )
)


@dataclass(frozen=True, slots=True)
class ExampleWorld:
    """What the example's units have in common; the hub must know these for a push to succeed."""

    mechanism_registry: str = "XMR01"
    host_party: str = "THA"
    cooperative_approach: str = "CA0001"
    authorization_id: str = "TH-2022-001"
    authorization_version: int = 1
    sector: str = "Transportation"
    activity_type: str = "Transport"
    vintages: tuple[int, ...] = (2022, 2023, 2024)
    accounts: tuple[str, ...] = ("CHE-HOLDING-1", "CHE-HOLDING-2", "THA-HOLDING-1")
    adaptation_account: str = "AF-HOLDING-1"
    omge_account: str = "OMGE-1"
    first_serial: int = 1
    first_number: int = 1


def change_world(world: ExampleWorld, changes: Sequence[str]) -> ExampleWorld:
    """Return a world with changes such as ``host_party=GHA`` or ``accounts=A-1,A-2``.

    Raises ValueError naming what can be changed, or the number that is none.
    """
    values: dict[str, object] = {}
    for change in changes:
        name, _, text = change.partition("=")
        default = getattr(world, name, None)
        if name not in {field.name for field in fields(world)} or not text:
            names = ", ".join(field.name for field in fields(world))
            raise ValueError(f"{change!r} is no name=value; names are {names}")
        if name == "vintages":
            values[name] = tuple(int(part) for part in text.split(","))
        elif isinstance(default, tuple):
            values[name] = tuple(text.split(","))
        else:
            values[name] = int(text) if isinstance(default, int) else text
    return replace(world, **values)  # type: ignore[arg-type]  # each value has its field's type


def example_rows(count: int, seed: int, world: ExampleWorld | None = None) -> Iterator[Row]:
    """Return the lines of a feed of ``count`` blocks (issuance lines come on top)."""
    maker = _Maker(world or ExampleWorld(), random.Random(seed))  # noqa: S311  # no secret
    while maker.block_count < count:
        yield from maker.issuance(count - maker.block_count)


class _Maker:
    """The running numbers of one feed."""

    def __init__(self, world: ExampleWorld, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._serials = dict.fromkeys(world.vintages, world.first_serial)
        self._issuance_number = world.first_number
        self.block_count = 0

    def issuance(self, blocks_max: int) -> Iterator[Row]:
        """Return one issuance line and its blocks, at most ``blocks_max`` of them."""
        world, rules = self._world, ShareRules()
        issued = self._chance.randint(ISSUED_UNITS_MIN, ISSUED_UNITS_MAX)
        exempt = self._chance.random() < 0.1
        issuance = IssuanceLine(
            issuance_id=f"{world.mechanism_registry}-{self._issuance_number}",
            activity_id=f"A64-{world.host_party}-{self._chance.randint(1, 400):04}",
            host_party=world.host_party,
            cooperative_approach=world.cooperative_approach,
            vintage=self._chance.choice(world.vintages),
            issued_quantity=issued,
            authorized_quantity=issued,
            sop_quantity=rules.sop_due(issued, exempt=exempt),
            sop_exempt=exempt,
            sop_exemption="LDC" if exempt else None,
            omge_quantity=rules.omge_due(issued),
            issued_at=f"2026-03-{self._chance.randint(1, 28):02}T09:00:00.000Z",
        )
        self._issuance_number += 1
        yield issuance
        yield from self._blocks(issuance, blocks_max)

    def _blocks(self, issuance: IssuanceLine, blocks_max: int) -> Iterator[Row]:
        parts = [
            (BlockKind.SOP_ADAPTATION, issuance.sop_quantity),
            (BlockKind.OMGE, issuance.omge_quantity),
        ]
        rest = issuance.issued_quantity - issuance.sop_quantity - issuance.omge_quantity
        pieces = self._chance.randint(1, BLOCKS_PER_ISSUANCE_MAX)
        cuts = sorted(self._chance.sample(range(1, rest), pieces - 1))
        for low, high in zip([0, *cuts], [*cuts, rest], strict=True):
            parts.append((BlockKind.FORWARDING, high - low))
        for kind, quantity in [part for part in parts if part[1]][:blocks_max]:
            yield self._block(issuance, kind, quantity)

    def _block(self, issuance: IssuanceLine, kind: BlockKind, quantity: int) -> UnitBlockLine:
        world = self._world
        first = self._serials[issuance.vintage]
        self._serials[issuance.vintage] = first + quantity
        self.block_count += 1
        accounts: dict[BlockKind, Sequence[str]] = {
            BlockKind.SOP_ADAPTATION: [world.adaptation_account],
            BlockKind.OMGE: [world.omge_account],
            BlockKind.FORWARDING: world.accounts,
        }
        number = world.first_number + self.block_count - 1
        return UnitBlockLine(
            first_transfer_id=f"{world.mechanism_registry}-{number}",
            kind=kind,
            issuance_id=issuance.issuance_id,
            activity_id=issuance.activity_id,
            host_party=issuance.host_party,
            cooperative_approach=issuance.cooperative_approach,
            vintage=issuance.vintage,
            first_serial=first,
            last_serial=first + quantity - 1,
            quantity=quantity,
            metric="GHG",
            mitigation_type="Emission reductions",
            authorization_id=world.authorization_id,
            authorization_version=world.authorization_version,
            authorization_status="authorized",
            sector=world.sector,
            activity_type=world.activity_type,
            gwp_values="AR5",
            acquiring_account=self._chance.choice(accounts[kind]),
        )


def fields_of(row: Row) -> dict[str, object]:
    """Return a line's fields by name, absent ones left out."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return {"record": record_of(row)} | {
        name: value for name, value in values.items() if value is not None
    }


def json_line(row: Row) -> str:
    """Return a row as one JSON line, with its line break."""
    return json.dumps(fields_of(row), separators=(",", ":")) + "\n"


def csv_line(row: Row) -> str:
    """Return a row as one CSV line under ``COLUMN_ORDER``, with its line break."""
    values = fields_of(row)
    return ",".join(_csv_value(values.get(name)) for name in COLUMN_ORDER) + "\n"


def _csv_value(value: object) -> str:
    if value is None:
        return ""
    text = _plain(value)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"') else text


def xml_record(row: Row) -> str:
    """Return a row as one XML element on a line of its own."""
    values = fields_of(row)
    record = values.pop("record")
    parts = [f"<{name}>{escape(_plain(value))}</{name}>" for name, value in values.items()]
    return f"<{record}>{''.join(parts)}</{record}>\n"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


MAKERS: Final = {
    FeedFormat.JSON_LINES: json_line,
    FeedFormat.CSV: csv_line,
    FeedFormat.XML: xml_record,
}
HEADS: Final = {
    FeedFormat.JSON_LINES: "",
    FeedFormat.CSV: ",".join(COLUMN_ORDER) + "\n",
    FeedFormat.XML: '<?xml version="1.0" encoding="UTF-8"?>\n<feed>\n',
}
FEET: Final = {FeedFormat.JSON_LINES: "", FeedFormat.CSV: "", FeedFormat.XML: "</feed>\n"}


def write_feed(rows: Iterator[Row], format_: FeedFormat, file: TextIO) -> int:
    """Write the lines of a feed; return how many there are (head and foot not counted)."""
    make = MAKERS[format_]
    file.write(HEADS[format_])
    count = 0
    for row in rows:
        file.write(make(row))
        count += 1
    file.write(FEET[format_])
    return count
