"""One box for everything that has a name: what is typed there, and the pages that it names.

What a text can be, its form tells: an id, serials, a code, an index of the log, a day. Only what is
there is found; several things may have one name. Paths are made here of what was recognised, never
of what was typed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from hub.services.administration.deeds import AdministrationError
from hub.services.administration.suspensions import parse_range
from hub.services.console.ground import Ground
from hub.services.console.transfers.logged_messages import ACTED_KINDS
from hub.services.people.roles import Right
from hub.store import acts, administrators, log, reference, transfers
from hub.store.console import transfer_search, transfer_traces
from hub.store.console.transfer_search import Wanted
from hub.store.reconciliation import cases, nights

CHARACTERS_MAX: Final = 400
_RESULTS_MAX: Final = 20

_TRANSFER: Final = re.compile(r"[A-Z]{3}[0-9]{2}-[0-9]{1,18}")
_CASE: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}/[1-9][0-9]{0,8}")
_DAY: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
_SERIALS: Final = re.compile(r"CA[0-9]{4}-[A-Z0-9-]+(\.\.CA[0-9]{4}-[A-Z0-9-]+)?")
_CODE: Final = re.compile(r"[A-Z]{3}[0-9]{2}")
_PARTY: Final = re.compile(r"[A-Z]{3}")
_APPROACH: Final = re.compile(r"CA[0-9]{4}")
_INDEX: Final = re.compile(r"[0-9]{1,18}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing of that name: its kind, its name, its page, and the right that the page takes."""

    kind: str
    name: str
    path: str
    right: Right = Right.LOOK


class FindingDesk:
    """Finds what a text names."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._central = ground.identity.international_registry

    def find(self, text: str) -> tuple[Hit, ...]:
        """Return what a text names, the nearest first; nothing for what names nothing."""
        typed = " ".join(text[:CHARACTERS_MAX].split())
        upper = typed.upper()
        hits: list[Hit] = []
        with self._database.reading() as connection:
            for pattern, find in (
                (_TRANSFER, self._transfers),
                (_CASE, self._cases),
                (_DAY, self._nights),
                (_SERIALS, self._serials),
                (_CODE, self._registries),
                (_PARTY, self._parties),
                (_APPROACH, self._approaches),
                (_INDEX, self._entries),
            ):
                if pattern.fullmatch(upper):
                    hits += find(connection, upper)
            if _UUID.fullmatch(typed.lower()):
                hits += self._by_uuid(connection, typed.lower())
            if not hits and typed.isprintable() and 0 < len(typed) <= 50:
                hits += self._accounts(connection, typed)
        return tuple(hits[:_RESULTS_MAX])

    def _transfers(self, connection: Connection, typed: str) -> Iterator[Hit]:
        if typed in transfers.load(connection, [typed]):
            yield Hit("transfer", typed, f"/transfers/{typed}")
        taken = transfers.load_acted(connection, [f"{kind}:{typed}" for kind in ACTED_KINDS])
        if taken or reference.issuances(connection, [typed]):
            yield Hit("action", typed, f"/actions/{typed}")
        longer = Wanted(id_beginning=typed)
        found = transfer_search.page(
            connection, longer, international_registry=self._central, limit=2
        )
        if any(row.transfer_id != typed for row in found.rows):
            yield Hit("transfers", f"{typed}…", f"/transfers?id={typed}")

    def _cases(self, connection: Connection, typed: str) -> Iterator[Hit]:
        if typed in cases.load(connection, [typed]):
            yield Hit("case", typed, f"/cases/{typed}")

    def _nights(self, connection: Connection, typed: str) -> Iterator[Hit]:
        try:
            date.fromisoformat(typed)
        except ValueError:
            return
        if nights.load(connection, typed) is not None:
            yield Hit("night", typed, f"/nights/{typed}")
        yield Hit("transfers", typed, f"/transfers?since={typed}&until={typed}")

    def _serials(self, connection: Connection, typed: str) -> Iterator[Hit]:
        del connection
        try:
            asked = parse_range(typed).units
        except AdministrationError:
            return
        shown = quote(asked, safe="")
        yield Hit("serials", asked, f"/ledger/serial?units={shown}")
        yield Hit("transfers", asked, f"/transfers?serials={shown}")

    def _registries(self, connection: Connection, typed: str) -> Iterator[Hit]:
        for row in reference.participants(connection):
            if row.code == typed:
                yield Hit("registry", f"{row.code}, {row.name}", f"/registries/{row.code}")
                yield Hit("transfers", row.code, f"/transfers?registry={row.code}")

    def _parties(self, connection: Connection, typed: str) -> Iterator[Hit]:
        for row in reference.participants(connection):
            if row.party == typed:
                yield Hit("registry", f"{row.code}, {row.name}", f"/registries/{row.code}")
        yield Hit("transfers", typed, f"/transfers?party={typed}")

    def _approaches(self, connection: Connection, typed: str) -> Iterator[Hit]:
        if typed in transfer_search.approaches(connection):
            yield Hit("transfers", typed, f"/transfers?approach={typed}")

    def _entries(self, connection: Connection, typed: str) -> Iterator[Hit]:
        index = int(typed)
        if log.entry_at(connection, index) is None:
            return
        if transfer_traces.envelope_at(connection, index) is not None:
            yield Hit("envelope", typed, f"/envelopes/{index}")
        elif acts.at(connection, index) is not None:
            yield Hit("act", typed, f"/acts/{index}", Right.READ_ACTS)
        yield Hit("entry", typed, f"/log/entries/{index}")

    def _by_uuid(self, connection: Connection, typed: str) -> Iterator[Hit]:
        for index, sender in transfer_traces.envelopes_of_id(connection, typed):
            yield Hit("envelope", f"{typed}, {sender}", f"/envelopes/{index}")
        if administrators.proposal(connection, typed) is not None:
            yield Hit("proposal", typed, f"/approvals/{typed}", Right.READ_ACTS)

    def _accounts(self, connection: Connection, typed: str) -> Iterator[Hit]:
        """Return the transfers of an account, if any of the newest is of it."""
        found = transfer_search.page(
            connection, Wanted(account=typed), international_registry=self._central, limit=1
        )
        if found.rows or transfer_search.is_account(connection, self._central, typed):
            yield Hit("account", typed, f"/transfers?account={quote(typed, safe='')}")
