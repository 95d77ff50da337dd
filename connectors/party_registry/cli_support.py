"""What the commands share: options, tables for people, JSON for programs, one way to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from connectors.party_registry.config import ConfigError, load_config
from connectors.party_registry.local_client import LocalApiError, LocalClient
from keys.errors import KeysError

__all__ = ["AsJson", "Config", "client", "failing", "show", "table"]

Config = Annotated[
    Path, typer.Option("--config", envvar="ITMO_REGISTRY_CONFIG", help="The settings, a TOML file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def failing() -> Iterator[None]:
    """Turn an error of the operator's or the registry's into a sentence and exit status 1 or 2."""
    try:
        yield
    except ConfigError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    except (LocalApiError, KeysError, OSError, ValueError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


@contextmanager
def client(config: Path) -> Iterator[LocalClient]:
    """Give a client of the running registry; failures end the command."""
    with failing():
        yield LocalClient(load_config(config))


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print rows: a table on a terminal, tab-separated lines elsewhere."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(_text(row.get(column)) for column in columns))
        return
    shown = Table(*[column.replace("_", " ") for column in columns])
    for row in rows:
        shown.add_row(*[_text(row.get(column)) for column in columns])
    console.print(shown)


def show(
    value: Any, *, as_json: bool, rows: str | None = None, columns: Sequence[str] = ()
) -> None:
    """Print an answer: JSON if asked for, else its rows as a table, else one line a member."""
    if as_json:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
    elif rows is not None:
        table(value[rows], columns)
    else:
        for name, member in value.items():
            if not isinstance(member, list | dict):
                typer.echo(f"{name}\t{_text(member)}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
