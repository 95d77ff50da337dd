"""How a command acts: who it is, what they sign, and whether they act or propose.

1. No administrator is registered: the name given (or the login name) is recorded, unsigned.
2. Otherwise the administrator's key is opened, the statement is made and signed here, and the
   service judges it like one that came from anywhere else.
"""

import getpass
from dataclasses import dataclass
from typing import Final

import typer
from uuid_utils import uuid7

from hub import bootstrap
from hub.commands.options import administration_of
from hub.config import Settings
from hub.services.administration.administration import Signatories
from hub.services.administration.deeds import Act, AdministrationError, Deed
from hub.services.administration.statements import Says, Statement, sign_statement
from keys.signing import open_signer

REMEDY: Final = (
    "this hub has administrators ({names}), so every act is signed by one: give --as NAME and "
    "--signer URI, or set ITMO_HUB_ADMINISTRATOR and ITMO_HUB_ADMINISTRATOR_SIGNER"
)


@dataclass(frozen=True, slots=True)
class By:
    """Who acts: ``--as``, ``--signer`` and ``--propose``, as given."""

    actor: str | None
    signer: str | None
    propose: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a deed: the act's log index, or the id of the proposal that waits."""

    log_index: int | None
    proposal_id: str | None


def carry_out(settings: Settings, deed: Deed, reason: str, by: By) -> bool:
    """Do a deed and return True, or propose it, say so, and return False.

    Raises AdministrationError, keys.errors.KeysError.
    """
    outcome = do_or_propose(settings, deed, reason, by)
    if outcome.proposal_id is not None:
        typer.echo(f"proposed\t{outcome.proposal_id}\t{deed.kind}\t{deed.subject}")
    return outcome.proposal_id is None


def do_or_propose(settings: Settings, deed: Deed, reason: str, by: By) -> Outcome:
    """Do a deed, or propose it. Raises AdministrationError, keys.errors.KeysError."""
    administration = administration_of(settings)
    signatories = administration.signatories()
    act = act_of(by.actor, reason)
    if by.propose:
        raw = signed(settings, signatories, Says.PROPOSE, deed, act, by)
        return Outcome(None, administration.propose(deed, act, raw))
    raw_or_none = None
    if signatories.administrators:
        raw_or_none = signed(settings, signatories, Says.DO, deed, act, by)
    return Outcome(administration.do(deed, act, raw_or_none).log_index, None)


def act_of(actor: str | None, reason: str) -> Act:
    """Return who acts now, and why."""
    return Act(actor=actor or getpass.getuser(), reason=reason, at=bootstrap.clock())


def signed(
    settings: Settings,
    signatories: Signatories,
    says: Says,
    deed: Deed,
    act: Act,
    by: By,
    *,
    proposal: str | None = None,
) -> bytes:
    """Return the administrator's signed statement. Raises AdministrationError without a key."""
    if by.actor is None or by.signer is None:
        names = ", ".join(row.name for row in signatories.administrators) or "none yet"
        raise AdministrationError(REMEDY.format(names=names))
    statement = Statement(
        statement_id=str(uuid7()),
        place=signatories.place,
        says=says,
        deed=deed,
        reason=act.reason,
        actor=act.actor,
        at=act.at,
        proposal=proposal,
    )
    signer = open_signer(by.signer, participant=settings.hub_code, passphrase=_ask_passphrase)
    return sign_statement(statement, signer)


def _ask_passphrase() -> str:
    answer: str = typer.prompt("Passphrase of the key", hide_input=True, err=True)
    return answer
