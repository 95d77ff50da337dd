"""Evidence from a registry's own book: what was sent, delivered and proven here is enough."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from connectors.party_registry.config import LogSection
from hub.evidence.verification import verify
from tests.connectors.party_registry.conftest import Registry, Trade, bindings
from tests.connectors.party_registry.test_trade import is_state, propose
from tests.connectors.session.conftest import until
from tests.hub.commands.runner import Said, run


async def evidence(registry: Registry, *arguments: str) -> Said:
    """Run ``registry evidence …`` beside the running registry, with its settings."""
    config = registry.connector.config.api.token_file.with_name("registry.toml")
    command = ["registry", "evidence", *arguments, "--config", str(config)]
    return await asyncio.to_thread(run, *command)


async def trade_once(trade: Trade) -> tuple[Registry, Registry, str]:
    """Play a transfer to its end."""
    log = LogSection(log_seconds=0.1)
    seller, buyer = await trade.seller(log=log), await trade.buyer(auto_accept=True, log=log)
    transfer_id = await propose(seller)
    for registry in (seller, buyer):
        await until(partial(is_state, registry, transfer_id, "completed"))
    return seller, buyer, transfer_id


def exported(registry: Registry, transfer_id: str, path: Path) -> Callable[[], Awaitable[bool]]:
    """Return whether an export from the kept proofs succeeds by now."""

    async def attempt() -> bool:
        said = await evidence(registry, "export", transfer_id, "-o", str(path), "--offline")
        assert said.status == 0 or "yet" in said.err, said
        return said.status == 0

    return attempt


def anchored(registry: Registry, path: Path) -> Callable[[], Awaitable[bool]]:
    """Return whether a registry knows the log by now, and wrote its anchor."""

    async def attempt() -> bool:
        said = await evidence(registry, "anchor", "-o", str(path), "--participants")
        assert said.status == 0 or "yet" in said.err, said
        return said.status == 0

    return attempt


@bindings("json", "xml", "xml-seller")
async def test_each_party_proves_a_transfer_from_what_it_keeps(
    trade: Trade, tmp_path: Path
) -> None:
    """With the anchor that the other party wrote, and without asking the hub."""
    seller, buyer, transfer_id = await trade_once(trade)
    for registry, other in ((seller, buyer), (buyer, seller)):
        file, anchor = tmp_path / "transfer.zip", tmp_path / "anchor.json"
        await until(exported(registry, transfer_id, file))
        await until(anchored(other, anchor))
        report = verify(file.read_bytes(), anchor.read_bytes())
        assert (report.verdict, report.outcome) == ("proved", "completed"), report.lines()
        checked = ["registry", "evidence", "verify", str(file), "--trust", str(anchor)]
        shown = await asyncio.to_thread(run, *checked)
        assert shown.out.splitlines() == report.lines()


async def test_what_cannot_be_exported_is_refused_in_words(trade: Trade, tmp_path: Path) -> None:
    """Unknown here; and never a file of something that was not proven."""
    seller = await trade.seller()
    said = await evidence(seller, "export", "THA01-404", "-o", str(tmp_path / "x"), "--offline")
    assert said.status == 1
    assert "no transfer THA01-404 is known here" in " ".join(said.err.split())
    assert not (tmp_path / "x").exists()


@bindings("json", "xml")
async def test_a_kept_proof_that_does_not_fit_is_never_handed_out(
    trade: Trade, tmp_path: Path
) -> None:
    """The bundle is verified before it is written: a spoiled book is noticed at home."""
    seller, _, transfer_id = await trade_once(trade)
    file = tmp_path / "transfer.zip"
    await until(exported(seller, transfer_id, file))
    file.unlink()
    spoil(seller.connector.config.database)
    said = await evidence(seller, "export", transfer_id, "-o", str(file), "--offline")
    assert said.status == 1
    assert "does not prove the transfer" in " ".join(said.err.split())
    assert not file.exists()


def spoil(path: Path) -> None:
    """Change a character, wherever it stands, in every kept envelope of the outbox."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE outbox_envelope SET raw = CAST(replace(CAST(raw AS TEXT), 'A', 'B') AS BLOB)"
        )
