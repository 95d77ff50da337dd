"""Tables on the terminal, the same figures as JSON, and percentiles."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

_LIBRARIES = ("cryptography", "sqlalchemy", "psycopg", "aiohttp", "uvloop")


class Report:
    """Collects the rows of one benchmark under table titles."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._console = Console(width=160)
        self._tables: dict[str, list[dict[str, Any]]] = {}

    def table(self, title: str, rows: list[dict[str, Any]], note: str = "") -> None:
        """Print rows as a table and keep them."""
        self._tables[title] = rows
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = Table(title=title, caption=note or None, title_justify="left")
        for column in columns:
            table.add_column(column, justify="left" if column == columns[0] else "right")
        for row in rows:
            table.add_row(*(_shown(row.get(column)) for column in columns))
        self._console.print(table)

    def progress(self, text: str) -> None:
        """Say what is being done."""
        self._console.print(f"[dim]{text}[/dim]")

    def document(self) -> dict[str, Any]:
        """Return everything, with the machine it was measured on."""
        return {
            "benchmark": self.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {
                "cores": os.cpu_count(),
                "processor": platform.machine(),
                "python": platform.python_version(),
                **{name: version(name) for name in _LIBRARIES},
            },
            "tables": self._tables,
        }


def percentile_ms(ordered_seconds: Sequence[float], percent: int) -> float:
    """Return the value that ``percent`` of the sorted values lie below, in milliseconds."""
    return ordered_seconds[len(ordered_seconds) * percent // 100] * 1e3


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
