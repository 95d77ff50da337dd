"""Units, blocks and rows to store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.checks.facts import TransferRecord
from hub.international_registry.ledger import LedgerChanges
from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)
from hub.protocol.transfer_states import TransferState
from hub.store.database import Database

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERIES = (Series("CA0001", "THA01", "THA", 2022), Series("CA0002", "GHA01", "GHA", 2023))
ATTRIBUTES = (
    Attributes("GHG", "Emission reductions", "TH-2022-001", 1, "Transportation"),
    Attributes("GHG", "Removals", "TH-2022-001", 2, "Forestry", "Planting", None, "AR5", "VCS"),
)
SERIAL_MAX = 60


@contextmanager
def rolled_back(database: Database) -> Iterator[Connection]:
    """Open a writing transaction of which nothing stays."""
    with database.engine.connect() as connection:
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def block(block_id: int, first: int, last: int, **changes: Any) -> LedgerBlock:
    """Return a block of the first series, authorized and free."""
    made = LedgerBlock(
        block_id, SERIES[0], first, last, ATTRIBUTES[0], "THA01", None, BlockStatus.AUTHORIZED
    )
    return replace(made, **changes)


def inserting(blocks: list[LedgerBlock]) -> LedgerChanges:
    """Return the changes that bring blocks into an empty ledger, without a journal."""
    return LedgerChanges(tuple(blocks), (), (), (), len(blocks) + 1)


def transfer(transfer_id: str, **changes: Any) -> TransferRecord:
    """Return a transfer in flight from THA01 to CHE01."""
    made = TransferRecord(
        transfer_id=transfer_id,
        mode="move",
        initiator="THA01",
        acquirer="CHE01",
        state=TransferState.PROPOSED,
        action="first_transfer",
        cooperative_approach="CA0001",
        transferring_account="TH-1",
        acquiring_account="CH-1",
        acquiring_entity=None,
        purpose="NDC",
        quantity=10,
        respond_by=AT,
        proposal_sha256="0" * 64,
        proposed_log_index=1,
        proposed_at=AT,
    )
    return replace(made, **changes)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerBlock]:
    """Draw blocks of two series that share no unit, in every state a row can be in."""
    blocks: list[LedgerBlock] = []
    for series in SERIES:
        cuts = sorted(draw(st.sets(st.integers(1, SERIAL_MAX), max_size=24)))
        for first, last in zip(cuts[::2], cuts[1::2], strict=False):
            made = block(
                len(blocks) + 1,
                first,
                last,
                series=series,
                attributes=draw(st.sampled_from(ATTRIBUTES)),
                registry=draw(st.sampled_from(["THA01", "CHE01", "XIR01"])),
                account=draw(st.sampled_from([None, "ACC-1"])),
                status=draw(st.sampled_from(BlockStatus)),
                first_transfer=draw(st.none() | st.sampled_from(FirstTransferEvent)),
                reserved_by=draw(st.sampled_from([None, "THA01-1", "THA01-2"])),
                introduced_by=draw(st.sampled_from([None, "THA01-1"])),
                hold=draw(st.sampled_from([None, "S:1", "S:2"])),
                underlying_first=draw(st.sampled_from([None, "VCS-1", "VCS-2"])),
            )
            blocks.append(made)
    return blocks


def ranges() -> st.SearchStrategy[Range]:
    """Draw serials of a known series or one the ledger never saw, sometimes beyond its end."""
    unknown = Series("CA0009", "PER01", "PER", 2024)
    return st.builds(
        lambda series, first, length: Range(series, first, first + length),
        st.sampled_from((*SERIES, unknown)),
        st.integers(1, SERIAL_MAX + 5),
        st.sampled_from([0, 1, 3, 20, 10**15]),
    )
