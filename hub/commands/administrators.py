"""``itmo-hub administrator …``: who may act, and what one proposed and another approves."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from hub import bootstrap
from hub.commands.acting import By, act_of, carry_out, signed
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    administration_of,
    database_of,
    settings_of,
)
from hub.commands.output import refusals, show, show_json
from hub.config import Settings
from hub.services.administration import administrators as deeds
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act, Deed
from hub.services.administration.proposals import Proposal
from hub.services.administration.statements import Says
from hub.store import administrators
from keys.key_ids import fingerprint
from keys.possession import verify_possession
from message_schemas import timestamps

app = typer.Typer(
    name="administrator",
    help="Who signs acts, and acts that wait for a second administrator.",
    no_args_is_help=True,
)

ProposalId = Annotated[str, typer.Argument(help="Id of the proposal, from `proposals`.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who it is: a name used once, for ever.")],
    key: Annotated[Path, typer.Argument(help="KEY.proof.jws, from `itmo-hub keys generate`.")],
    reason: Reason,
    role: Annotated[
        str, typer.Option(help="For which acts the key counts: " + ", ".join(deeds.SIGNING_ROLES))
    ] = "administrator",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Register an administrator. From the first one on, every act is signed."""
    with refusals():
        record = verify_possession(key.read_bytes().strip())
        deed = deeds.add_administrator(name, record, role)
        settings = settings_of(config, database)
        done = carry_out(settings, deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"{name}\t{role}\t{record.key_id}\t{fingerprint(record.public_key_der)}")


@app.command()
def remove(
    name: str,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """End an administrator's time. The last one cannot be removed."""
    with refusals():
        deed = deeds.remove_administrator(name)
        settings = settings_of(config, database)
        done = carry_out(settings, deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"{name}\tremoved")


@app.command("list")
def list_administrators(
    every: Annotated[bool, typer.Option("--all", help="Removed ones too.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List administrators with their keys."""
    with refusals():
        with database_of(config, database).reading() as connection:
            rows = administrators.every(connection)
        show(
            ("name", "key_id", "algorithm", "fingerprint", "added_at", "removed_at", "role"),
            [
                (
                    row.name,
                    row.key.key_id,
                    row.key.algorithm.value,
                    fingerprint(row.key.public_key_der),
                    row.added_at,
                    row.removed_at,
                    row.role,
                )
                for row in rows
                if every or row.removed_at is None
            ],
            as_json=as_json,
        )


@app.command("proposals")
def list_proposals(
    every: Annotated[bool, typer.Option("--all", help="Decided and lapsed ones too.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List acts that wait for a second administrator; each statement is checked again."""
    with refusals():
        found = administration_of(settings_of(config, database)).proposals(bootstrap.clock())
        show(
            ("proposal", "state", "kind", "subject", "proposed_by", "proposed_at", "reason"),
            [
                (
                    row.proposal_id,
                    state,
                    row.kind,
                    row.subject,
                    row.proposed_by,
                    row.proposed_at,
                    reason,
                )
                for row, state, reason in found
                if every or state not in ("executed", "rejected", "lapsed")
            ],
            as_json=as_json,
        )


@app.command("proposal")
def show_proposal(
    proposal_id: ProposalId, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Show everything that a proposal would do, as its proposer signed it."""
    with refusals():
        administration = administration_of(settings_of(config, database))
        show_json(_whole(administration.proposal(proposal_id, bootstrap.clock())))


@app.command()
def approve(
    proposal_id: ProposalId,
    actor: Actor = None,
    signer: SignerUri = None,
    reason: Reason = "approved",
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Do exactly what another administrator proposed, with both signatures in the log."""
    with refusals():
        settings = settings_of(config, database)
        made = _decide(settings, proposal_id, Says.APPROVE, reason, By(actor, signer))
        done = made.administration.approve(proposal_id, made.act, made.statement)
    typer.echo(f"done\t{done.log_index}\t{made.deed.kind}\t{made.deed.subject}")


@app.command()
def reject(
    proposal_id: ProposalId,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """End a proposal without doing it; its proposer may too."""
    with refusals():
        settings = settings_of(config, database)
        made = _decide(settings, proposal_id, Says.REJECT, reason, By(actor, signer))
        made.administration.reject(proposal_id, made.act, made.statement)
    typer.echo(f"rejected\t{proposal_id}")


@dataclass(frozen=True, slots=True)
class _Decision:
    """What an administrator signed about a proposal, and all that is needed to carry it out."""

    administration: Administration
    deed: Deed
    act: Act
    statement: bytes


def _decide(settings: Settings, proposal_id: str, says: Says, reason: str, by: By) -> _Decision:
    """Sign what an administrator says of a proposal: of its exact bytes, as it was signed."""
    administration = administration_of(settings)
    act = act_of(by.actor, reason)
    proposal = administration.proposal(proposal_id, act.at)
    digest = sha256(proposal.signed.raw).hexdigest()
    signatories = administration.signatories()
    statement = signed(settings, signatories, says, proposal.deed, act, by, proposal=digest)
    return _Decision(administration, proposal.deed, act, statement)


def _whole(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as a person judges it."""
    said = proposal.said
    return {
        "proposal": said.statement_id,
        "state": proposal.state,
        "kind": said.deed.kind,
        "subject": said.deed.subject,
        "parameters": said.deed.parameters,
        "reason": said.reason,
        "proposed_by": said.actor,
        "proposed_at": timestamps.render(said.at),
        "key_id": proposal.signed.signature.key_id,
        "decided_by": proposal.row.decided_by,
    }
