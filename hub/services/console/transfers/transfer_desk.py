"""The list of transfers: what is asked, as people type it, and the pages of the answer.

1. Everything typed is judged first; what cannot be is refused with its name, the rule and an
   example (``AskedError``), and nothing is searched.
2. A page is one view of the database. A cursor names a place in the order of the transfers and
   nothing else: it opens nothing, and any other text is refused.
3. The export is the same answer without pages, up to EXPORT_ROWS_MAX rows, read as it is sent.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.checks.facts import TransferRecord
from hub.international_registry.units import Range
from hub.protocol.transfer_states import TransferState
from hub.services.administration.deeds import AdministrationError
from hub.services.administration.suspensions import parse_range
from hub.services.console.exports import csv_rows
from hub.services.console.ground import Ground
from hub.store import reference
from hub.store.console import transfer_search
from hub.store.console.transfer_search import Found, Place, Wanted
from hub.store.instants import from_milliseconds, to_milliseconds

STATES: Final = tuple(str(state) for state in TransferState)
MODES: Final = ("move", "notify_and_record")
NAMES: Final = (
    "id",
    "serials",
    "registry",
    "party",
    "account",
    "state",
    "mode",
    "approach",
    "since",
    "until",
)
"""What may be asked, by the names it has in an address."""
PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 100_000
_EXPORT_PAGE_ROWS: Final = 1_000

_ID: Final = re.compile(r"([A-Z]{3}[0-9]{2})(-[0-9]{0,18})?")
_CODE: Final = re.compile(r"[A-Z]{3}[0-9]{2}")
_PARTY: Final = re.compile(r"[A-Z]{3}")
_APPROACH: Final = re.compile(r"CA[0-9]{4}")
_MOMENT: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?")
_CURSOR: Final = re.compile(r"([0-9]{1,14})\.([A-Z]{3}[0-9]{2}-[0-9]{1,18})")
_CHARACTERS_MAX: Final = 200


class AskedError(ValueError):
    """Something asked cannot be looked for; ``field`` is its name, the text the rule."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, judged; ``typed`` is the same as it was typed, by name."""

    typed: Mapping[str, str] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    serials: Range | None = None


@dataclass(frozen=True, slots=True)
class TransferPage:
    """Some transfers, the newest first, and the cursors of the pages beside it.

    ``stopped_at`` is how far a page looked that is short because it had looked at enough.
    ``serials_are_cut``: the serials named more moves than were looked at.
    """

    rows: tuple[TransferRecord, ...]
    newer: str | None
    older: str | None
    stopped_at: datetime | None = None
    serials_are_cut: bool = False


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form offers: codes of registries with their names, Parties, approaches."""

    registries: tuple[tuple[str, str], ...]
    parties: tuple[str, ...]
    approaches: tuple[str, ...]


def asked_of(typed: Mapping[str, str]) -> Asked:
    """Return what people typed, judged. Raises AskedError at the first that cannot be."""
    given = {name: value for name in NAMES if (value := " ".join(typed.get(name, "").split()))}
    for name, value in given.items():
        if len(value) > _CHARACTERS_MAX or not value.isprintable():
            raise AskedError(name, f"at most {_CHARACTERS_MAX} printable characters")
    read = {name: _READERS[name](value) for name, value in given.items()}
    serials = read.pop("serials", None)
    return Asked(
        given, Wanted(**{_FIELDS.get(name, name): one for name, one in read.items()}), serials
    )


def _id(text: str) -> str:
    match = _ID.fullmatch(text.upper())
    if match is None:
        raise AskedError(
            "id",
            "a transfer's id is its initiator's code, a hyphen and up to 18 digits; a beginning "
            "will do, from the code on: THA01-12",
        )
    return match[1] + (match[2] or "-")


def _serials(text: str) -> Range:
    try:
        return parse_range(text.upper().replace(" ", ""))
    except AdministrationError as error:
        raise AskedError("serials", f"FIRST_ID..LAST_ID, or one id; {error}") from error


def _matching(name: str, pattern: re.Pattern[str], rule: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if pattern.fullmatch(text.upper()) is None:
            raise AskedError(name, rule)
        return text.upper()

    return read


def _one_of(name: str, allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise AskedError(name, f"one of {', '.join(allowed)}")
        return text

    return read


def _account(text: str) -> str:
    if len(text) > 50:
        raise AskedError("account", "an account has at most 50 characters")
    return text


def _moment(name: str, *, is_end: bool) -> Callable[[str], datetime]:
    """Return a reader of a day, or a minute, in UTC; of an end, what is just behind it."""

    def read(text: str) -> datetime:
        try:
            if _MOMENT.fullmatch(text) is None:
                raise ValueError(text)
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            step = timedelta(minutes=1) if "T" in text else timedelta(days=1)
            return at + step if is_end else at
        except (ValueError, OverflowError) as error:
            rule = "a day such as 2026-11-30, or a minute such as 2026-11-30T14:05, in UTC"
            raise AskedError(name, rule) from error

    return read


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "id": _id,
    "serials": _serials,
    "registry": _matching("registry", _CODE, "a registry's code has 3 letters and 2 digits: THA01"),
    "party": _matching("party", _PARTY, "a Party's code has 3 letters: THA"),
    "account": _account,
    "state": _one_of("state", STATES),
    "mode": _one_of("mode", MODES),
    "approach": _matching("approach", _APPROACH, "an approach's id is CA and 4 digits: CA0001"),
    "since": _moment("since", is_end=False),
    "until": _moment("until", is_end=True),
}
_FIELDS: Final = {"id": "id_beginning"}


class TransferDesk:
    """Searches among transfers."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._central = ground.identity.international_registry

    def page(
        self,
        asked: Asked,
        *,
        older: str | None = None,
        newer: str | None = None,
        limit: int = PAGE_ROWS,
    ) -> TransferPage:
        """Return the page behind the cursor ``older``, or before ``newer``; else the first.

        Raises AskedError for what is no cursor.
        """
        towards_newer = newer is not None and older is None
        place = _place("newer", newer) if towards_newer else _place("older", older)
        with self._database.reading() as connection:
            wanted, is_cut = asked.wanted, False
            if asked.serials is not None:
                named = transfer_search.ids_of_serials(connection, asked.serials)
                wanted, is_cut = _with_ids(wanted, named.ids), named.is_cut
            found = transfer_search.page(
                connection,
                wanted,
                international_registry=self._central,
                limit=limit,
                after=place,
                towards_newer=towards_newer,
            )
        return _shown(found, place, towards_newer, is_cut)

    def choices(self) -> Choices:
        """Return what the form offers."""
        with self._database.reading() as connection:
            rows = reference.participants(connection)
            approaches = transfer_search.approaches(connection)
        registries = tuple((row.code, row.name) for row in rows if row.kind != "hub")
        parties = {row.party for row in rows if row.kind == "party_registry"}
        return Choices(registries, tuple(sorted(parties)), tuple(approaches))

    def export(self, asked: Asked, rows_max: int = EXPORT_ROWS_MAX) -> Iterator[bytes]:
        """Yield the answer as CSV, up to ``rows_max`` rows; each part is read when it is due."""
        return csv_rows(_COLUMNS, map(_exported, self._all(asked, rows_max)))

    def _all(self, asked: Asked, rows_max: int) -> Iterator[TransferRecord]:
        older: str | None = None
        left = rows_max
        while left > 0:
            page = self.page(asked, older=older, limit=min(left, _EXPORT_PAGE_ROWS))
            yield from page.rows
            left -= len(page.rows)
            older = page.older
            if older is None:
                return


def _with_ids(wanted: Wanted, ids: frozenset[str]) -> Wanted:
    """Return what is wanted, of these transfers alone."""
    beginning = wanted.id_beginning
    if beginning is not None:
        ids = frozenset(one for one in ids if one.startswith(beginning))
    values = {name: getattr(wanted, name) for name in wanted.__slots__}
    return Wanted(**{**values, "ids": ids})


def _shown(found: Found, place: Place | None, towards_newer: bool, is_cut: bool) -> TransferPage:
    first = _cursor(_place_of(found.rows[0])) if found.rows else None
    last = _cursor(_place_of(found.rows[-1])) if found.rows else None
    following = None if found.next is None else _cursor(found.next)
    return TransferPage(
        found.rows,
        newer=following if towards_newer else (None if place is None else first),
        older=last if towards_newer else following,
        stopped_at=found.next.at if found.is_cut and found.next is not None else None,
        serials_are_cut=is_cut,
    )


def _place_of(row: TransferRecord) -> Place:
    return Place(row.proposed_at, row.transfer_id)


def _cursor(place: Place) -> str:
    return f"{to_milliseconds(place.at)}.{place.transfer_id}"


def _place(name: str, cursor: str | None) -> Place | None:
    """Return the place of a cursor. Raises AskedError."""
    if not cursor:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise AskedError(name, "this is no place in the list: begin at its first page")
    return Place(from_milliseconds(int(match[1])), match[2])


_COLUMNS: Final = (
    "transfer",
    "mode",
    "state",
    "action",
    "initiator",
    "transferring_account",
    "acquirer",
    "acquiring_account",
    "acquiring_entity",
    "cooperative_approach",
    "purpose",
    "quantity",
    "proposed_at",
    "respond_by",
    "closed_at",
    "proposed_log_index",
    "closed_log_index",
)


def _exported(row: TransferRecord) -> tuple[Any, ...]:
    return (
        row.transfer_id,
        row.mode,
        row.state,
        row.action,
        row.initiator,
        row.transferring_account,
        row.acquirer,
        row.acquiring_account,
        row.acquiring_entity,
        row.cooperative_approach,
        row.purpose,
        row.quantity,
        row.proposed_at,
        row.respond_by,
        row.closed_at,
        row.proposed_log_index,
        row.closed_log_index,
    )
