"""One row of a holdings statement as a block, or what is wrong with each of its cells."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final, TypeVar

from message_schemas.blocks import parse_identifier
from reconciliation.owned import HELD, OWNED, Block, Owned, Series
from reconciliation.statement_cells import EMPTY, Cell, CellError, integer_of, text_of
from reconciliation.statement_words import (
    CODES,
    ID_COLUMNS,
    LEFT_OUT,
    SERIAL_COLUMNS,
    SERIES_COLUMNS,
    YES_OR_NO,
    word_key,
)

# What a column is filled in with to try another one, and how the right thing looks.
_PROBE: Final = ("CA0001", "AAA01", "AAA", "2021")
_LIKE: Final = ("CA0003", "GHA01", "GHA", "2023, a year from 1990 to 2100")
_CACHE_MAX: Final = 100_000

# Any of 18 digits is a serial; the few longer ones are looked at more closely.
_SERIAL: Final = re.compile(r"[1-9][0-9]{0,17}")

_K = TypeVar("_K")
_V = TypeVar("_V")


class RowReader:
    """Reads rows whose columns lie at ``places``; ``statuses`` are words by their keys.

    ``faults`` are the columns of the row read last that are wrong, and why.
    """

    def __init__(
        self, places: Mapping[str, int], registry: str, statuses: Mapping[str, str]
    ) -> None:
        self.faults: list[tuple[str, str]] = []
        self._places, self._registry, self._statuses = places, registry, statuses
        self._attributes = tuple(name for name in OWNED if name in places)
        self._width = max(places.values()) + 1
        # The cells a statement repeats, taken out together: it is done for every row.
        self._values_of = _taking([places[name] for name in self._attributes])
        self._has_ids = all(column in places for column in ID_COLUMNS)
        self._has_serials = all(c in places for c in (*SERIES_COLUMNS, *SERIAL_COLUMNS))
        self._series_of_row = _taking([places[c] for c in SERIES_COLUMNS if c in places])
        # Rows repeat their series and their attributes: each is read once, and kept once.
        self._series: dict[tuple[Cell, ...], Series] = {}
        self._prefixes: dict[tuple[str, str], Series] = {}
        self._kept: dict[Series, Series] = {}
        self._owned: dict[tuple[Cell, ...], Owned | None] = {}

    def read(self, cells: Sequence[Cell]) -> Block | None:
        """Return a row's block; None if it has faults, or if its units are left out."""
        self.faults = []
        if len(cells) < self._width:
            cells = [*cells, *[None] * (self._width - len(cells))]
        placed = self._placed(cells)
        quantity = self._number(cells, "quantity")
        owned = self._values(cells)
        if "registry" in self._places:
            self._check_registry(cells)
        if placed is None or quantity is None:
            return None
        series, first, last = placed
        if last - first + 1 != quantity:
            said = f"{quantity}, but {first} to {last} are {last - first + 1} units"
            self._fault("quantity", f"{said}; put the quantity or the serials right")
        if self.faults or owned is None:
            return None
        return Block(series, first, last, owned)

    # --- which units ---------------------------------------------------------------------------

    def _placed(self, cells: Sequence[Cell]) -> tuple[Series, int, int] | None:
        """Return series, first and last serial, by whichever columns there are."""
        by_id = self._by_identifiers(cells) if self._has_ids else None
        by_serial = self._by_serials(cells) if self._has_serials else None
        if self.faults:
            return None
        if by_id is not None and by_serial is not None and by_id != by_serial:
            self._fault("first_id", f"{_named(by_id)}, but the row is {_named(by_serial)}")
            return None
        return by_id if by_serial is None else by_serial

    def _by_serials(self, cells: Sequence[Cell]) -> tuple[Series, int, int] | None:
        raw = self._series_of_row(cells)
        series = self._series.get(raw)
        if series is None and (series := self._series_of(cells)) is not None:
            _keep(self._series, raw, series)
        first = self._number(cells, "first_serial")
        last = self._number(cells, "last_serial")
        if series is None or first is None or last is None:
            return None
        return self._in_order(series, first, last, "last_serial")

    def _series_of(self, cells: Sequence[Cell]) -> Series | None:
        texts = [self._text(cells, column, needed=True) for column in SERIES_COLUMNS]
        values: list[str] = []
        for place, text in enumerate(texts):
            if text is None:
                continue
            # 2023.0 is how some programs write the number 2023.
            value = text.removesuffix(".0") if SERIES_COLUMNS[place] == "vintage" else text
            approach, registry, party, vintage = (
                value if at == place else probe for at, probe in enumerate(_PROBE)
            )
            try:
                parse_identifier(f"{approach}-{registry}-{party}-1-{vintage}")
            except ValueError:
                fault = f"{text[:40]!r} is none; write it like {_LIKE[place]}"
                self._fault(SERIES_COLUMNS[place], fault)
            else:
                values.append(value)
        if len(values) < len(SERIES_COLUMNS):
            return None
        series = Series(values[0], values[1], values[2], int(values[3]))
        return self._kept.setdefault(series, series)

    def _by_identifiers(self, cells: Sequence[Cell]) -> tuple[Series, int, int] | None:
        first, last = (self._identifier(cells, column) for column in ID_COLUMNS)
        if first is None or last is None:
            return None
        if last[0] != first[0]:
            self._fault("last_id", "is of another series than FIRST_ID; a row is one block")
            return None
        return self._in_order(first[0], first[1], last[1], "last_id")

    def _identifier(self, cells: Sequence[Cell], column: str) -> tuple[Series, int] | None:
        text = self._text(cells, column, needed=True)
        if text is None:
            return None
        rest, _, vintage = text.rpartition("-")
        prefix, _, serial = rest.rpartition("-")
        series = self._prefixes.get((prefix, vintage))
        # Nearly every row names a series that was met before; its serial is read here.
        if series is not None and _SERIAL.fullmatch(serial):
            return series, int(serial)
        try:
            found = parse_identifier(text)
        except ValueError as error:
            self._fault(column, str(error))
            return None
        series = Series(found[0], found[1], found[2], found.vintage)
        series = self._kept.setdefault(series, series)
        _keep(self._prefixes, (prefix, vintage), series)
        return series, found.serial

    def _in_order(
        self, series: Series, first: int, last: int, column: str
    ) -> tuple[Series, int, int] | None:
        if first > last:
            self._fault(column, f"{last} is before the first, {first}; put them in order")
            return None
        return series, first, last

    def _check_registry(self, cells: Sequence[Cell]) -> None:
        text = self._text(cells, "registry", needed=True)
        if text is not None and text != self._registry:
            self._fault("registry", f"{text[:40]!r}; this is to be a statement of {self._registry}")

    # --- what they are -------------------------------------------------------------------------

    def _values(self, cells: Sequence[Cell]) -> Owned | None:
        """Return the owned values of a row; None if it has faults, or if its units are left out."""
        raw = self._values_of(cells)
        if raw in self._owned:
            return self._owned[raw]
        before = len(self.faults)
        values: dict[str, str | None] = {"status": HELD}
        for name in self._attributes:
            values[name] = self._value(cells, name)
        if len(self.faults) > before:
            return None
        is_left_out = values["status"] == LEFT_OUT
        owned = None if is_left_out else tuple(values.get(name) for name in OWNED)
        _keep(self._owned, raw, owned)
        return owned

    def _value(self, cells: Sequence[Cell], name: str) -> str | None:
        if name == "authorization_version":
            if self._text(cells, name, needed=False) is None:
                return None
            version = self._number(cells, name)
            return None if version is None else str(version)
        text = self._text(cells, name, needed=name in ("status", "first_transferred"))
        if text is None:
            return None
        if name == "status":
            return self._word(
                name, text, self._statuses, "write held, used or cancelled, or name the word"
            )
        if name == "first_transferred":
            return self._word(name, text, YES_OR_NO, "write yes or no")
        return CODES.get(name, {}).get(word_key(text), text)

    def _word(self, column: str, text: str, words: Mapping[str, str], remedy: str) -> str | None:
        found = words.get(word_key(text))
        if found is None:
            self._fault(column, f"{text[:40]!r} is not a known word; {remedy}")
        return found

    # --- cells ---------------------------------------------------------------------------------

    def _cell(self, cells: Sequence[Cell], column: str) -> Cell:
        return cells[self._places[column]]

    def _number(self, cells: Sequence[Cell], column: str) -> int | None:
        try:
            return integer_of(self._cell(cells, column))
        except CellError as error:
            self._fault(column, str(error))
            return None

    def _text(self, cells: Sequence[Cell], column: str, *, needed: bool) -> str | None:
        try:
            text = text_of(self._cell(cells, column))
        except CellError as error:
            self._fault(column, str(error))
            return None
        if text is None and needed:
            self._fault(column, EMPTY)
        return text

    def _fault(self, column: str, text: str) -> None:
        self.faults.append((column, text))


def _taking(places: Sequence[int]) -> Callable[[Sequence[Cell]], tuple[Cell, ...]]:
    """Return what takes the cells at some places out of a row."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda cells: tuple(cells[place] for place in places)


def _named(placed: tuple[Series, int, int]) -> str:
    return f"{placed[0]} {placed[1]} to {placed[2]}"


def _keep(cache: dict[_K, _V], key: _K, value: _V) -> None:
    if len(cache) >= _CACHE_MAX:
        cache.clear()
    cache[key] = value
