"""Options that many commands share, and what they open (its modules are imported then)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.services.administration.administration import Administration
    from hub.store.database import Database

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", envvar="ITMO_HUB_CONFIG", help="TOML file with the hub's settings."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", help="SQLite or PostgreSQL URL (else from the settings)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reason = Annotated[str, typer.Option(help="Why: recorded with the act.")]
Actor = Annotated[
    str | None,
    typer.Option(
        "--as",
        envvar="ITMO_HUB_ADMINISTRATOR",
        help="Who acts: recorded with the act (else your login name).",
    ),
]
SignerUri = Annotated[
    str | None,
    typer.Option(
        "--signer",
        envvar="ITMO_HUB_ADMINISTRATOR_SIGNER",
        help="URI of your key, once administrators are registered.",
    ),
]
Propose = Annotated[
    bool, typer.Option("--propose", help="Do not act: ask another administrator to approve.")
]


def settings_of(config_file: Path | None, database_url: str | None) -> Settings:
    """Return the settings a command works with."""
    from hub import config

    return config.load(config_file, database_url=database_url)


def database_of(config_file: Path | None, database_url: str | None) -> Database:
    """Open the database a command works on, at the schema this code needs."""
    from hub import bootstrap

    return bootstrap.open_database(settings_of(config_file, database_url))


def administration_of(settings: Settings) -> Administration:
    """Return the administrators' use cases on the database of the settings."""
    from hub import bootstrap
    from hub.services.administration.administration import Administration

    return Administration(
        bootstrap.open_database(settings),
        bootstrap.identity_of(settings),
        settings.limits,
        timedelta(seconds=settings.proposal_seconds_max),
    )
