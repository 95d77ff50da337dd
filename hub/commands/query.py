"""``itmo-hub query …``: holdings and history, for people, spreadsheets and programs.

1. Without more: the whole ledger, from the hub's database, as its operator.
2. ``--as CODE``: from the database, exactly what that participant may see.
3. ``--hub URL --participant CODE --key URI --hub-key FILE``: signed questions to a running hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.commands.options import ConfigFile, DatabaseUrl, database_of, settings_of
from hub.commands.output import refusals
from hub.commands.query_output import Form, write
from hub.commands.query_sources import (
    PAGE_ROWS,
    Page,
    Query,
    QueryError,
    Wire,
    as_participant,
    of_ledger,
    over_wire,
    require_sound,
    subject_of,
)
from hub.protocol.signed_objects import Binding
from message_schemas.blocks import BlockRange, parse_identifier
from message_schemas.messages.queries import HistoryQuery, HoldingsQuery, UnitStatus

app = typer.Typer(
    name="query",
    help="Holdings and history: the whole ledger, or what one participant may see.",
    no_args_is_help=True,
)

Registry = Annotated[str | None, typer.Option(help="Only of this registry: CHE01.")]
Approach = Annotated[str | None, typer.Option("--approach", help="CA0001.")]
Vintage = Annotated[int | None, typer.Option(help="Year of the mitigation.")]
Account = Annotated[str | None, typer.Option(help="Only of this account.")]
Party = Annotated[str | None, typer.Option(help="First transferring Party: THA.")]
AsCode = Annotated[
    str | None, typer.Option("--as", help="Only what this participant may see: CHE01.")
]
Hub = Annotated[str | None, typer.Option(help="Ask the hub at this address, not a database.")]
Participant = Annotated[str | None, typer.Option(help="Who asks the hub: CHE01.")]
Key = Annotated[list[str] | None, typer.Option(help="URI of the key that signs; repeat.")]
HubKey = Annotated[list[Path] | None, typer.Option(help="Public key document of the hub; repeat.")]
InBinding = Annotated[Binding, typer.Option("--binding", help="How question and answer travel.")]
HubCode = Annotated[str, typer.Option(help="Code of the hub.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many rows.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


@app.callback()
def query() -> None:
    """Holdings and history: the whole ledger, or what one participant may see."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to ask: a database, as whom, or over the wire."""

    config: Path | None
    database: str | None
    participant: str | None
    wire: Wire | None

    def pages(self, query: Query, filters: dict[str, Any]) -> Iterator[Page]:
        if self.wire is not None:
            return over_wire(self.wire, query)
        opened = database_of(self.config, self.database)
        if self.participant is not None:
            settings = settings_of(self.config, self.database)
            return as_participant(opened, settings, self.participant, query)
        asked = subject_of(query, filters) if isinstance(query, HistoryQuery) else query
        return of_ledger(opened, asked)


def _place(
    config: Path | None,
    database: str | None,
    as_code: str | None,
    wire: tuple[str | None, str | None, list[str] | None, list[Path] | None],
    binding: Binding,
    hub_code: str,
) -> _Place:
    hub, participant, keys, hub_keys = wire
    if hub is None:
        if participant or keys or hub_keys:
            raise typer.BadParameter("--participant, --key and --hub-key go with --hub")
        return _Place(config, database, as_code, None)
    if as_code is not None or database is not None:
        raise typer.BadParameter("--hub asks a hub: --as and --database are for its database")
    if not (participant and keys and hub_keys):
        raise typer.BadParameter("--hub needs --participant, --key and --hub-key")
    return _Place(None, None, None, Wire(hub, participant, keys, hub_keys, binding, hub_code))


def _form(*, as_json: bool, as_csv: bool) -> Form:
    if as_json and as_csv:
        raise typer.BadParameter("either --json or --csv")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.LINES


@app.command()
def holdings(
    registry: Registry = None,
    account: Account = None,
    approach: Approach = None,
    party: Party = None,
    vintage: Vintage = None,
    status: Annotated[UnitStatus | None, typer.Option(help="Only in this state.")] = None,
    as_code: AsCode = None,
    hub: Hub = None,
    participant: Participant = None,
    key: Key = None,
    hub_key: HubKey = None,
    binding: InBinding = Binding.JSON,
    hub_code: HubCode = "XHB01",
    limit: Limit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List units: where they are, in which account, in which state."""
    form = _form(as_json=as_json, as_csv=as_csv)
    where = _place(config, database, as_code, (hub, participant, key, hub_key), binding, hub_code)
    with refusals():
        asked = HoldingsQuery(
            items_max=_page_rows(limit),
            registry=registry,
            account=account,
            cooperative_approach=approach,
            first_transferring_party=party,
            vintage=vintage,
            status=status,
        )
        require_sound(asked)
        write(where.pages(asked, {}), "holdings", form, limit)


@app.command()
def history(
    transfer: Annotated[str | None, typer.Option(help="Of this transfer: THA01-17.")] = None,
    units: Annotated[
        str | None, typer.Option(metavar="RANGE", help="Of these units: FIRST_ID..LAST_ID.")
    ] = None,
    registry: Registry = None,
    account: Account = None,
    approach: Approach = None,
    party: Party = None,
    vintage: Vintage = None,
    as_code: AsCode = None,
    hub: Hub = None,
    participant: Participant = None,
    key: Key = None,
    hub_key: HubKey = None,
    binding: InBinding = Binding.JSON,
    hub_code: HubCode = "XHB01",
    limit: Limit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List what happened to units, in the order of the log.

    The operator may leave out what of, and filter; a participant names a transfer or units.
    """
    form = _form(as_json=as_json, as_csv=as_csv)
    where = _place(config, database, as_code, (hub, participant, key, hub_key), binding, hub_code)
    filters = {
        "registry": registry,
        "account": account,
        "cooperative_approach": approach,
        "first_transferring_party": party,
        "vintage": vintage,
    }
    is_free = where.wire is None and where.participant is None
    with refusals():
        asked = HistoryQuery(
            items_max=_page_rows(limit), transfer_id=transfer, range=_range_of(units)
        )
        if not is_free and any(value is not None for value in filters.values()):
            raise QueryError(
                "a participant names --transfer or --units; filters are the operator's"
            )
        if not is_free or transfer is not None or units is not None:
            require_sound(asked)
        write(where.pages(asked, filters), "history", form, limit)


def _page_rows(limit: int | None) -> int:
    return PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)


def _range_of(text: str | None) -> BlockRange | None:
    """Return the serials that ``FIRST_ID..LAST_ID`` names. Raises QueryError."""
    if text is None:
        return None
    first_id, dots, last_id = text.partition("..")
    try:
        first, last = parse_identifier(first_id), parse_identifier(last_id if dots else first_id)
    except ValueError as error:
        raise QueryError(f"--units is FIRST_ID..LAST_ID: {error}") from None
    if first._replace(serial=last.serial) != last:
        raise QueryError("--units: the two ends differ in more than the serial number")
    return BlockRange(
        first.cooperative_approach,
        first.originating_registry,
        first.first_transferring_party,
        first.vintage,
        first.serial,
        last.serial,
    )
