"""How commands speak: tables for people, tab-separated lines for pipes, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from message_schemas import timestamps

_CONSOLE = Console()


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool) -> None:
    """Print rows under their column names."""
    listed = [[plain(value) for value in row] for row in rows]
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in listed])
    elif sys.stdout.isatty():
        table = Table(*columns)
        for row in listed:
            table.add_row(*("" if value is None else str(value) for value in row))
        _CONSOLE.print(table)
    else:
        typer.echo("\t".join(columns))
        for row in listed:
            typer.echo("\t".join("" if value is None else str(value) for value in row))


def show_json(document: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=plain))


def plain(value: Any) -> Any:
    """Return a value as a person or JSON reads it: instants in the protocol's form."""
    if isinstance(value, datetime):
        return timestamps.render(value)
    if isinstance(value, tuple | frozenset):
        return " ".join(map(str, value))
    return value


def refuse(message: str) -> NoReturn:
    """Say on standard error, in one line, why not; leave with status 1."""
    typer.echo(f"itmo-hub: {' '.join(message.split())}", err=True)
    raise typer.Exit(1)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what an operator can mend into one clear line and exit status 1."""
    try:
        yield
    except Exception as error:
        text = _refusal_of(error)
        if text is None:
            raise
        refuse(text)


def _refusal_of(error: Exception) -> str | None:
    """Return what to say of an error that an operator can mend, None of any other."""
    import pydantic

    from hub.config import SettingsFileError
    from hub.services.administration.deeds import AdministrationError
    from hub.services.start_errors import StartError
    from hub.store.database import DatabaseUnavailableError, DatabaseUrlError
    from hub.store.schema import SchemaError
    from keys.errors import KeysError

    match error:
        case pydantic.ValidationError():
            lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            return "a setting is wrong. " + "; ".join(lines)
        case KeysError():
            return error.detail
        case DatabaseUnavailableError():
            return f"the database cannot be reached: {error}"
        case (
            AdministrationError()
            | DatabaseUrlError()
            | SchemaError()
            | SettingsFileError()
            | StartError()
            | OSError()  # a file that is not there, a port that is taken
        ):
            return str(error)
    return None
