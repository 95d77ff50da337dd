"""``itmo-hub log …``: look at the transparency log, prove it, and decide when it is halted."""

from typing import Annotated

import typer
from rich.console import Console

from connectors.progress import ProgressView
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
from hub.commands.output import refusals, show_json
from hub.config import Settings
from hub.services import check_log, log_standing
from hub.services.administration import log_losses
from hub.services.collect_cosignatures import Policies
from hub.services.log_duties import policy_file
from hub.services.log_keys import LogKeys
from hub.services.serve_log import keys_of
from hub.store import head as heads
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.notes import VerifierKey
from hub.transparency_log.policies import NONE
from message_schemas import timestamps

app = typer.Typer(name="log", help="The transparency log.", no_args_is_help=True)

Settlement = Annotated[bool, typer.Option("--settlement", help="The quorum of settlements.")]


def _keys(settings: Settings) -> LogKeys:
    return bootstrap.open_log_keys(settings, bootstrap.open_signers(settings))


@app.command()
def show(as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Show size, root, the newest checkpoint, witnesses and quorums, and whether it is halted."""
    with refusals():
        settings = settings_of(config, database)
        policies = bootstrap.log_policies(settings)
        facts = _facts(bootstrap.open_database(settings), policies)
    if as_json:
        show_json({"origin": settings.origin, **facts})
        return
    typer.echo(f"origin\t{settings.origin}")
    for name, value in facts.items():
        typer.echo(f"{name}\t{'' if value is None else value}")


def _facts(opened: Database, policies: Policies) -> dict[str, object]:
    """Return what there is to say of a log, in the order in which it is shown."""
    with opened.reading() as connection:
        head = heads.read(connection)
        newest = log_checkpoints.newest(connection)
        settlement = log_checkpoints.newest_settlement(connection)
        cosigned = next(iter(log_checkpoints.newest_cosigned(connection, 0, 1)), None)
        known, settled = (
            [] if one is None else log_checkpoints.cosignatures(connection, one.size)
            for one in (cosigned, settlement)
        )
        standing = log_standing.read(connection)
    size = head.log_index + 1
    facts: dict[str, object] = {
        "size": size,
        "root": CompactRange.from_bytes(size, head.compact_range).root().hex(),
        "checkpoint": None if newest is None else newest.size,
        "checkpoint_at": None if newest is None else timestamps.render(newest.at),
        "settlement": None if settlement is None else settlement.size,
        "settlement_at": None if settlement is None else timestamps.render(settlement.at),
        "cosigned": None if cosigned is None else cosigned.size,
        "cosigned_by": " ".join(sorted({one.witness for one in known})),
    }
    for name, policy, said in (
        ("prompt", policies.prompt, known),
        ("settlement", policies.settlement, settled),
    ):
        lacking = None if policy is None else policy.missing(keys_of(policy, said))
        facts[f"{name}_quorum"] = NONE if lacking is None else (lacking or "met")
    facts["halted"] = standing.halted
    facts["loss_accepted_up_to"] = standing.accepted_size or None
    return facts


@app.command()
def policy(
    settlement: Settlement = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Print the policy to verify with, as a C2SP tlog-policy file."""
    with refusals():
        settings = settings_of(config, database)
        policies = bootstrap.log_policies(settings)
        chosen = (policies.settlement or policies.prompt) if settlement else policies.prompt
        text = policy_file(_keys(settings), chosen)
    typer.echo(text, nl=False)


@app.command()
def vkey(config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Print the log's public keys, one a line: for witnesses, and for whoever verifies."""
    with refusals():
        keys = _keys(settings_of(config, database))
    for line in keys.vkeys:
        typer.echo(line)


@app.command()
def check(as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Prove every entry, tile, counter, commitment and checkpoint again; exit 1 on a fault."""
    with refusals():
        settings = settings_of(config, database)
        opened = bootstrap.open_database(settings)
        policies = bootstrap.log_policies(settings)
        log_keys = _keys(settings).verifiers if settings.signers else ()
        faults = prove(opened, log_keys, policies.keys)
        with opened.reading() as connection:
            size = heads.read(connection).log_index + 1
    if as_json:
        show_json({"size": size, "faults": faults})
    else:
        for fault in faults:
            typer.echo(fault)
        if not faults:
            typer.echo(f"the log of {size} entries is whole")
    if faults:
        raise typer.Exit(1)


def prove(
    opened: Database,
    log_keys: tuple[VerifierKey, ...] = (),
    witness_keys: tuple[VerifierKey, ...] = (),
) -> list[str]:
    """Prove the log, with a progress bar on a terminal; return the faults."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return check_log.check_log(opened, log_keys=log_keys, witness_keys=witness_keys)
    with opened.reading() as connection:
        size = heads.read(connection).log_index + 1
    with ProgressView(console, "log", size, "entries") as view:
        return check_log.check_log(
            opened,
            log_keys=log_keys,
            witness_keys=witness_keys,
            progress=lambda done, _size: view.advance_to(done),
        )


@app.command("accept-loss")
def accept_loss(
    up_to: Annotated[
        int, typer.Option(help="Size of the tree that is lost, as `log show` names it.")
    ],
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Go on without the lost tail of the log. Participants and witnesses will see that it differs.

    Restore the tail instead if there is any way to it.
    """
    with refusals():
        settings = settings_of(config, database)
        deed = log_losses.accept_loss(settings.origin, up_to)
        done = carry_out(settings, deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"loss up to {up_to}\taccepted")
