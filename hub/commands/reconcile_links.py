"""``itmo-hub reconcile mode`` and ``secret``: how a registry is compared, and with what key."""

from pathlib import Path
from typing import Annotated

import typer

from hub import bootstrap
from hub.commands.acting import By, carry_out
from hub.commands.options import (
    Actor,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    settings_of,
)
from hub.commands.output import refusals, refuse
from hub.config import Settings
from hub.services.administration.comparing import set_mode
from hub.services.reconciliation.runs.link_secrets import (
    NO_MASTER,
    LinkSecrets,
    new_secret,
    read_secret,
    write_secret,
)
from hub.store import reference
from hub.store.database import DatabaseUnavailableError
from hub.store.reconciliation.links import MODES
from hub.store.schema import SchemaError

MASTER = "new"


def mode(
    registry: Annotated[str, typer.Argument(help="The registry's code.")],
    mode: Annotated[str, typer.Argument(help=f"One of {', '.join(MODES)}.")],
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Decide how a registry is compared: digests, totals, statement, records or off.

    digests: by keyed sums, down to the serials. totals: by units and then by lists, for a registry
    without sums. statement: it hands in files. records: only transfers that moved no units.
    """
    with refusals():
        deed = set_mode(registry, mode)
        done = carry_out(settings_of(config, database), deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"{registry}\t{mode}")


def secret(
    whose: Annotated[
        str, typer.Argument(help=f"`{MASTER}` for a new one of the hub, or a registry's code.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write; it must not exist yet.")],
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Make the hub's link secret, or write the secret of one registry's link.

    First `secret new --out FILE`: name that file in the setting `reconciliation.secret` and start
    the hub again. Then `secret CODE --out FILE` for each registry; hand the file over as you hand
    over keys. Files have mode 0600. The secret of a link is always the same under one master.
    """
    with refusals():
        settings = settings_of(config, database)
        if whose == MASTER:
            write_secret(out, settings.hub_code, new_secret())
        else:
            path = settings.reconciliation.secret
            if path is None:
                refuse(NO_MASTER)
            master = read_secret(Path(path), settings.hub_code)
            write_secret(out, whose, LinkSecrets(master, b"").secret_of(_code(whose)))
    typer.echo(f"{settings.hub_code if whose == MASTER else whose}\t{out}")
    if whose != MASTER and not _may_be_registered(settings, whose):
        typer.echo(
            f"itmo-hub: note that no {whose} is registered yet; is the code right?", err=True
        )


def _may_be_registered(settings: Settings, code: str) -> bool:
    """Tell whether a registry is registered; where there is no database yet, it may be."""
    try:
        with bootstrap.open_database(settings).reading() as connection:
            return any(row.code == code for row in reference.participants(connection))
    except (SchemaError, DatabaseUnavailableError):
        return True


def _code(text: str) -> str:
    """Return a registry's code. Refuses anything else, so that no file is written for nobody."""
    if not (len(text) == 5 and text[:3].isalpha() and text.isupper() and text[3:].isdigit()):
        refuse(f"{text[:20]!r} is not the code of a registry, such as KEN01 (nor `{MASTER}`)")
    return text
