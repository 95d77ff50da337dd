"""``itmo-hub rulebook`` and ``itmo-hub alerts``: what the hub checks, and what it complains of."""

from typing import Annotated

import typer

from hub.checks import rulebook
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, database_of
from hub.commands.output import refusals, refuse, show, show_json


def show_rulebook(
    rule: Annotated[str | None, typer.Argument(help="A number or name; none lists all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the check catalogue, or one rule with its remedy."""
    rules = sorted(rulebook.RULES.values(), key=lambda one: one.number)
    if rule is None:
        if as_json:
            show_json(rulebook.document())
            return
        show(
            ("number", "name", "stage", "severity", "paragraph", "text"),
            [
                (
                    one.number,
                    one.name,
                    str(one.stage),
                    str(one.severity),
                    "; ".join(one.paragraphs),
                    one.text,
                )
                for one in rules
            ],
            as_json=False,
        )
        return
    found = next((one for one in rules if rule.upper() in (str(one.number), one.name)), None)
    if found is None:
        refuse(f"no rule {rule!r}; `itmo-hub rulebook` lists them")
    document = {name: getattr(found, name) for name in found.__slots__}
    if as_json:
        show_json(document)
        return
    for name, value in document.items():
        text = "; ".join(value) if isinstance(value, tuple) else value
        typer.echo(f"{name}\t{'' if text is None else text}")


def show_alerts(
    limit: int = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Show what asks for attention, newest first."""
    from hub.store import alerts

    with refusals():
        with database_of(config, database).reading() as connection:
            found = alerts.newest(connection, limit)
        show(
            ("at", "kind", "subject", "detail", "count"),
            [(one.at, one.kind, one.subject, one.detail, one.count) for one in found],
            as_json=as_json,
        )
