"""``itmo-hub db …``: bring the schema up to date, and prove the books."""

import typer

from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, database_of, settings_of
from hub.commands.output import refusals, show_json

app = typer.Typer(name="db", help="The hub's database.", no_args_is_help=True)


@app.command()
def upgrade(config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Create the schema, or bring an older one up to this version."""
    from hub.store import schema
    from hub.store.database import Database

    with refusals():
        opened = Database(settings_of(config, database).database_url)
        before, after = schema.upgrade(opened)
    typer.echo(f"schema\t{before or 'empty'}\t{after}")


@app.command()
def check(as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Prove every invariant of ledger, exchange and log again; exit 1 if one does not hold."""
    from hub.commands import log
    from hub.services import check_database
    from hub.store import head as heads

    with refusals():
        opened = database_of(config, database)
        with opened.reading() as connection:
            log_index = heads.read(connection).log_index
        violations = check_database.check_ledger(opened)
        faults = check_database.check_exchange(opened)
        log_faults = log.prove(opened)
    if as_json:
        show_json(
            {
                "log_index": log_index,
                "violations": [
                    {"kind": str(one.kind), "subject": one.subject, "text": one.text}
                    for one in violations
                ],
                "faults": faults,
                "log": log_faults,
            }
        )
    else:
        for one in violations:
            typer.echo(f"{one.kind}\t{one.subject}\t{one.text}")
        for fault in faults:
            typer.echo(f"exchange\t\t{fault}")
        for fault in log_faults:
            typer.echo(f"log\t\t{fault}")
        if not violations and not faults and not log_faults:
            typer.echo(f"every invariant holds at log index {log_index}")
    if violations or faults or log_faults:
        raise typer.Exit(1)
