"""``itmo-hub people …``: who may sign in at the console, in which role, and who did."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from hub import bootstrap
from hub.commands.acting import By, carry_out
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    settings_of,
)
from hub.commands.output import refusals, show, show_json
from hub.config import Settings
from hub.services.administration import people as deeds
from hub.services.administration.deeds import Deed
from hub.services.people.persons import PAGE_COUNT_MAX, Person, Persons
from hub.services.people.sessions import Sessions
from hub.services.people.sign_in import ENDED
from hub.store.database import Database
from hub.store.people import sign_ins
from hub.store.people.sign_ins import SignInEvent

COMMAND_LINE: Final = "command line"

app = typer.Typer(
    name="people",
    help="Who may sign in at the console, in which role, and who did.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="What the person types to sign in.")]
Role = Annotated[str, typer.Argument(help="viewer, officer, operator, administrator or auditor.")]


# --- acts ----------------------------------------------------------------------------------------


@app.command()
def add(
    name: Name,
    role: Role,
    reason: Reason,
    display_name: Annotated[
        str | None, typer.Option("--display-name", help="How pages call them (else the name).")
    ] = None,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Add a person, and print the link with which they choose how to sign in."""
    with refusals():
        deed = deeds.add_person(name, display_name or name, role)
        settings = settings_of(config, database)
        if carry_out(settings, deed, reason, By(actor, signer, propose)):
            _invite(settings, name)


@app.command("role")
def set_role(
    name: Name,
    role: Role,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Give a person another role; their sessions end."""
    with refusals():
        by = By(actor, signer, propose)
        _act(deeds.set_role(name, role), reason, by, settings_of(config, database))


@app.command()
def disable(
    name: Name,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Let a person in no more; their sessions end."""
    with refusals():
        by = By(actor, signer, propose)
        _act(deeds.disable_person(name), reason, by, settings_of(config, database))


@app.command()
def enable(
    name: Name,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Let a disabled person in again, with what they had."""
    with refusals():
        by = By(actor, signer, propose)
        _act(deeds.enable_person(name), reason, by, settings_of(config, database))


@app.command()
def reset(
    name: Name,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Forget a person's password, codes and passkeys, and print a link to begin anew."""
    with refusals():
        settings = settings_of(config, database)
        by = By(actor, signer, propose)
        if carry_out(settings, deeds.reset_person(name), reason, by):
            _invite(settings, name)


@app.command("signs-as")
def link_administrator(
    name: Name,
    reason: Reason,
    administrator: Annotated[
        str | None, typer.Argument(help="The administrator they are; none: nobody any more.")
    ] = None,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Say under which administrator's name a person acts at the console."""
    with refusals():
        deed = deeds.link_administrator(name, administrator)
        by = By(actor, signer, propose)
        _act(deed, reason, by, settings_of(config, database))


# --- what is no act ------------------------------------------------------------------------------


@app.command()
def invite(name: Name, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Print a new link for somebody who cannot sign in yet; an earlier one counts no more."""
    with refusals():
        _invite(settings_of(config, database), name)


@app.command("list")
def list_people(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """List all people."""
    with refusals():
        show(
            ("name", "display_name", "role", "state", "signs_as", "factors", "signed_in_at"),
            [
                (
                    one.name,
                    one.display_name,
                    one.role.value,
                    one.state,
                    one.administrator,
                    _factors(one),
                    one.signed_in_at,
                )
                for one in _every(Persons(_database(config, database)))
            ],
            as_json=as_json,
        )


@app.command("show")
def show_person(name: Name, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Show a person, without anything secret."""
    with refusals():
        one = Persons(_database(config, database)).find(name)
        show_json(
            {
                "name": one.name,
                "display_name": one.display_name,
                "role": one.role.value,
                "state": one.state,
                "signs_as": one.administrator,
                "password": one.has_password,
                "codes": one.has_totp,
                "passkeys": one.passkey_count,
                "provider": one.oidc_issuer,
                "invited_until": one.invited_until,
                "created_at": one.created_at,
                "changed_at": one.changed_at,
                "password_changed_at": one.password_changed_at,
                "signed_in_at": one.signed_in_at,
            }
        )


@app.command()
def sessions(
    name: Name, as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """List where a person is signed in, the last used first."""
    with refusals(), _opened(config, database) as at:
        person = at.persons.find(name)
        show(
            ("session", "method", "address", "agent", "begun_at", "seen_at", "ends_at"),
            [
                (
                    one.session_id,
                    one.method,
                    one.address,
                    one.agent,
                    one.begun_at,
                    one.seen_at,
                    one.ends_at,
                )
                for one in at.sessions.listed(person.person_id, bootstrap.clock())
            ],
            as_json=as_json,
        )


@app.command("end-sessions")
def end_sessions(name: Name, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """End all sessions of a person. They may sign in again; `disable` keeps them out."""
    with refusals(), _opened(config, database) as at:
        person = at.persons.find(name)
        count = at.sessions.end_all(person.person_id)
        event = SignInEvent(
            at=bootstrap.clock(),
            name=person.name,
            person_id=person.person_id,
            method=COMMAND_LINE,
            address="",
            outcome=ENDED,
            detail=f"{count} sessions",
        )
        with at.database.writing() as connection:
            sign_ins.add(connection, event)
    typer.echo(f"{name}\tended\t{count}")


@app.command("sign-ins")
def list_sign_ins(
    name: Annotated[str | None, typer.Option(help="Of one person only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List who signed in, from where, and whom it was refused to, newest first."""
    with refusals():
        with _database(config, database).reading() as connection:
            rows = sign_ins.page(connection, limit, name=name)
        show(
            ("at", "name", "outcome", "method", "address", "detail"),
            [(row.at, row.name, row.outcome, row.method, row.address, row.detail) for row in rows],
            as_json=as_json,
        )


# --- what they share -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opened:
    """What commands about sessions work with."""

    database: Database
    persons: Persons
    sessions: Sessions

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.sessions.close()


def _opened(config: ConfigFile, database_url: DatabaseUrl) -> _Opened:
    settings = settings_of(config, database_url)
    database = bootstrap.open_database(settings)
    return _Opened(database, Persons(database), Sessions(database, settings.console))


def _database(config: ConfigFile, database_url: DatabaseUrl) -> Database:
    return bootstrap.open_database(settings_of(config, database_url))


def _act(deed: Deed, reason: str, by: By, settings: Settings) -> None:
    if carry_out(settings, deed, reason, by):
        typer.echo(f"{deed.subject}\t{deed.kind}\tdone")


def _invite(settings: Settings, name: str) -> None:
    """Print the link: it is nowhere else."""
    persons = Persons(bootstrap.open_database(settings))
    invitation = persons.invite(name, bootstrap.clock())
    until = f"{invitation.until:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{name}\tinvited until {until}\t{invitation.link(settings.console.url)}")


def _every(persons: Persons) -> list[Person]:
    found: list[Person] = []
    while part := persons.page(found[-1].name if found else ""):
        found += part
        if len(part) < PAGE_COUNT_MAX:
            break
    return found


def _factors(one: Person) -> str:
    """Return with what a person signs in, in a few words."""
    known = (
        ("password", one.has_password),
        ("codes", one.has_totp),
        (f"passkeys={one.passkey_count}", one.passkey_count > 0),
        ("provider", one.oidc_issuer is not None),
    )
    return " ".join(word for word, is_so in known if is_so)
