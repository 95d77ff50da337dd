"""Transfers and natural ids: kept exactly, closed once, found by whoever asks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from hub.checks.facts import TransferRecord
from hub.protocol.transfer_states import TransferState
from hub.store import transfers
from hub.store.database import Database
from hub.store.transfers import ActedRow
from tests.hub.store.samples import AT, rolled_back, transfer

MINUTE = timedelta(minutes=1)


def test_a_transfer_comes_back_as_it_was_entered(shared_database: Database) -> None:
    """Every field, with its type; ids that do not exist are left out."""
    full = transfer("THA01-1", acquiring_entity="ENT-1", mode="notify_and_record")
    with rolled_back(shared_database) as connection:
        transfers.add(connection, [full, transfer("THA01-2")])
        found = transfers.load(connection, {"THA01-1", "THA01-2", "THA01-3"})
        assert found == {"THA01-1": full, "THA01-2": transfer("THA01-2")}
        assert found["THA01-1"].state is TransferState.PROPOSED
        assert transfers.load(connection, []) == {}


def test_a_transfer_is_closed_once(shared_database: Database) -> None:
    """Closing writes the final state; closing again is our defect, and changes nothing."""
    done = replace(
        transfer("THA01-1"),
        state=TransferState.COMPLETED,
        closed_log_index=9,
        closed_at=AT + MINUTE,
    )
    with rolled_back(shared_database) as connection:
        transfers.add(connection, [transfer("THA01-1")])
        transfers.close(connection, [done])
        assert transfers.load(connection, ["THA01-1"]) == {"THA01-1": done}
        with pytest.raises(AssertionError, match="not in flight"):
            transfers.close(connection, [replace(done, state=TransferState.EXPIRED)])
        assert transfers.load(connection, ["THA01-1"]) == {"THA01-1": done}


def test_only_transfers_in_flight_past_their_deadline_are_due(shared_database: Database) -> None:
    """At the deadline counts as past; the oldest first; no more than asked for."""
    with rolled_back(shared_database) as connection:
        transfers.add(
            connection,
            [
                transfer("THA01-1", respond_by=AT),
                transfer("THA01-2", respond_by=AT - MINUTE),
                transfer("THA01-3", respond_by=AT + MINUTE),
                transfer("THA01-4", respond_by=AT - MINUTE, state=TransferState.COMPLETED),
            ],
        )
        assert transfers.due(connection, AT, 10) == ["THA01-2", "THA01-1"]
        assert transfers.due(connection, AT, 1) == ["THA01-2"]
        assert transfers.due(connection, AT - 2 * MINUTE, 10) == []


def test_a_search_finds_a_registrys_transfers_in_both_roles(shared_database: Database) -> None:
    """The newest first, by participant, by state, and counted by state."""
    with rolled_back(shared_database) as connection:
        transfers.add(
            connection,
            [
                transfer("THA01-1", proposed_at=AT),
                transfer("CHE01-1", proposed_at=AT + MINUTE, initiator="CHE01", acquirer="GHA01"),
                transfer(
                    "GHA01-1", proposed_at=AT + 2 * MINUTE, initiator="GHA01", acquirer="THA01"
                ),
                transfer("THA01-2", proposed_at=AT + 3 * MINUTE, state=TransferState.REJECTED),
            ],
        )

        def ids(**wanted: object) -> list[str]:
            found = transfers.search(connection, **wanted)  # type: ignore[arg-type]  # of the test's own making
            return [one.transfer_id for one in found]

        assert ids() == ["THA01-2", "GHA01-1", "CHE01-1", "THA01-1"]
        assert ids(limit=1) == ["THA01-2"]
        assert ids(participant="THA01") == ["THA01-2", "GHA01-1", "THA01-1"]
        assert ids(participant="CHE01", state="rejected") == ["THA01-2"]
        assert ids(state="expired") == []
        assert transfers.count_by_state(connection) == {"proposed": 3, "rejected": 1}


def test_the_daily_quantity_counts_what_left_or_may_leave(shared_database: Database) -> None:
    """In flight and completed since the instant; not rejected, not older, not of others."""
    with rolled_back(shared_database) as connection:
        transfers.add(
            connection,
            [
                transfer("THA01-1", quantity=1),
                transfer("THA01-2", quantity=10, state=TransferState.COMPLETED),
                transfer("THA01-3", quantity=100, state=TransferState.REJECTED),
                transfer("THA01-4", quantity=1000, proposed_at=AT - MINUTE),
                transfer("CHE01-1", quantity=10_000, initiator="CHE01"),
            ],
        )
        assert transfers.moved_since(connection, "THA01", AT) == 11
        assert transfers.moved_since(connection, "GHA01", AT) == 0


def test_a_natural_id_is_taken_for_ever(shared_database: Database) -> None:
    """With the type, the entry and the result that a duplicate is answered by."""
    row = ActedRow("CHE01-7", "action.use", 12, '{"state":"recorded"}')
    with rolled_back(shared_database) as connection:
        transfers.add_acted(connection, [row])
        assert transfers.load_acted(connection, ["CHE01-7", "CHE01-8"]) == {"CHE01-7": row}
        assert transfers.load_acted(connection, []) == {}


def test_a_full_batch_of_answers_names_more_ids_than_a_statement_takes_parameters(
    shared_database: Database,
) -> None:
    """Seventy thousand ids in one batch are looked up, not answered with "unavailable"."""
    ids = [f"THA01-{number}" for number in range(1, 70_001)]
    with rolled_back(shared_database) as connection:
        transfers.add(connection, [transfer("THA01-1"), transfer("THA01-70000")])
        assert set(transfers.load(connection, ids)) == {"THA01-1", "THA01-70000"}
        assert transfers.load_acted(connection, ids) == {}


def ended(name: str, at: int | None, **changes: Any) -> TransferRecord:
    """Return a notify-and-record transfer that ended at an entry; None: in flight."""
    mode = changes.pop("mode", "notify_and_record")
    row = transfer(name, mode=mode, **changes)
    if at is None:
        return row
    return replace(row, state=TransferState.EXPIRED, closed_log_index=at, closed_at=AT)


def test_records_are_found_by_when_they_ended_in_either_role(shared_database: Database) -> None:
    """Behind one entry and up to another; neither those of others nor those that move units."""
    with rolled_back(shared_database) as connection:
        transfers.add(
            connection,
            [
                ended("THA01-1", 10),
                ended("THA01-2", 20, quantity=7),
                ended("THA01-3", 30),
                ended("THA01-4", None),
                ended("THA01-5", 20, mode="move"),
                ended("CHE01-1", 20, initiator="CHE01", acquirer="GHA01"),
            ],
        )

        def ids(registry: str, after: int, up_to: int) -> list[str]:
            rows = transfers.records_ended(connection, registry, after, up_to)
            return [row.transfer_id for row in rows]

        assert ids("THA01", 0, 99) == ["THA01-1", "THA01-2", "THA01-3"]
        assert ids("THA01", 10, 20) == ["THA01-2"]
        assert ids("CHE01", 10, 29) == ["CHE01-1", "THA01-2"]
        (row,) = transfers.records_ended(connection, "THA01", 10, 20)
        assert (row.state, row.quantity, row.closed_log_index) == ("expired", 7, 20)
        found = transfers.records_among(connection, "THA01", ["THA01-4", "THA01-5", "CHE01-1"])
        assert {name: one.closed_log_index for name, one in found.items()} == {"THA01-4": None}
        assert transfers.recording_registries(connection) == ["CHE01", "GHA01", "THA01"]


def test_records_of_a_span_are_read_by_their_index(shared_database: Database) -> None:
    """Not by walking through all transfers there are."""
    with rolled_back(shared_database) as connection:
        rows = [ended(f"THA01-{number}", number, mode="move") for number in range(1, 2_001)]
        transfers.add(connection, [*rows, ended("THA01-R", 5)])
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        if explain == "EXPLAIN":
            connection.execute(text("ANALYZE transfer"))
        asked: list[tuple[str, Any]] = []

        @event.listens_for(connection, "before_cursor_execute")
        def _note(_c: Any, _u: Any, statement: str, given: Any, _x: Any, _m: Any) -> None:
            asked.append((statement, given))

        assert [row.transfer_id for row in transfers.records_ended(connection, "THA01", 3, 9)] == [
            "THA01-R"
        ]
        event.remove(connection, "before_cursor_execute", _note)
        ((statement, given),) = asked
        plan = connection.exec_driver_sql(f"{explain} {statement}", given)
        assert "ix_transfer_recorded" in " ".join(str(row) for row in plan)
