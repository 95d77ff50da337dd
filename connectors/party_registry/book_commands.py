"""What an operator does to the book: accounts, records, issuance, use and cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from connectors.party_registry import book, book_store, first_transfers, selection, tracking
from connectors.party_registry.blocks import attributes_of, block_of
from connectors.party_registry.book import BookError
from connectors.party_registry.book_store import Account
from connectors.party_registry.book_tables import authorization_record, cooperative_approach_record
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import (
    CancellationRequest,
    IssueRequest,
    OpenAccountRequest,
    RangeRequest,
    UseRequest,
)
from connectors.party_registry.tracking import Action
from connectors.party_registry.units import HeldBlock, Series
from connectors.session.handler import Transaction
from connectors.session.outbox import MessageInvalidError
from message_schemas.blocks import Block, UnderlyingUnit
from message_schemas.json_codec import decode_body, encode_body
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.records import AuthorizationRecord

__all__ = [
    "cancel_units",
    "issue",
    "list_records",
    "open_account",
    "store_approach",
    "store_authorization",
    "submit_action",
    "use_units",
]


def open_account(transaction: Transaction, request: OpenAccountRequest) -> Account:
    """Open a holding account. Raises CommandError if the id is taken."""
    opened = Account(
        account_id=request.account,
        kind=request.kind,
        party=request.party or transaction.participant[:3],
        entity=request.entity,
        cooperative_approach=request.cooperative_approach,
        status="open",
        opened_at=transaction.at,
    )
    if not book_store.open_account(transaction.connection, opened):
        raise CommandError(f"there is an account {request.account} already")
    return opened


def store_authorization(connection: Connection, body: dict[str, Any]) -> None:
    """Keep an authorization that was submitted to the hub; a version is kept once."""
    connection.execute(
        insert(authorization_record)
        .values(
            authorization_id=body["authorization_id"],
            version=body["version"],
            cooperative_approach=body["cooperative_approach"],
            state="submitted",
            body=msgspec.json.encode(body),
        )
        .on_conflict_do_nothing()
    )


def store_approach(connection: Connection, body: dict[str, Any]) -> None:
    """Keep a cooperative approach that was submitted to the hub; a version is kept once."""
    connection.execute(
        insert(cooperative_approach_record)
        .values(
            cooperative_approach=body["cooperative_approach"],
            version=body["version"],
            state="submitted",
            body=msgspec.json.encode(body),
        )
        .on_conflict_do_nothing()
    )


def list_records(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the cooperative approaches and authorizations kept here, with their states."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, table in (
        ("cooperative_approaches", cooperative_approach_record),
        ("authorizations", authorization_record),
    ):
        rows = connection.execute(select(table.c.state, table.c.body).order_by(*table.primary_key))
        found[name] = [
            {"state": state, "record": msgspec.json.decode(body)} for state, body in rows
        ]
    return found


def _authorization(connection: Connection, authorization_id: str) -> AuthorizationRecord:
    row = connection.execute(
        select(authorization_record.c.body)
        .where(
            authorization_record.c.authorization_id == authorization_id,
            authorization_record.c.state == "in_force",
        )
        .order_by(authorization_record.c.version.desc())
        .limit(1)
    ).first()
    if row is None:
        raise CommandError(f"the hub has not recorded an authorization {authorization_id} in force")
    record: AuthorizationRecord = decode_body(
        "authorization.record", 1, msgspec.json.decode(row[0])
    )
    return record


def issue(transaction: Transaction, request: IssueRequest) -> HeldBlock:
    """Issue authorized mitigation outcomes into an account, at the next serials.

    Raises:
        CommandError: no such authorization in force, a vintage outside it, or the book refuses.
    """
    record = _authorization(transaction.connection, request.authorization)
    if not record.vintage_first <= request.vintage <= record.vintage_last:
        years = f"{record.vintage_first} to {record.vintage_last}"
        raise CommandError(f"{request.authorization} covers the vintages {years}")
    series = Series(
        record.cooperative_approach,
        transaction.participant,
        record.authorizing_party,
        request.vintage,
    )
    sector = request.sector or (record.sectors[0] if record.sectors else None)
    if sector is None:
        raise CommandError("say the sector: the authorization names none")
    try:
        return book.issue(
            transaction.connection,
            request.account,
            series,
            request.quantity,
            _attributes(record, request, sector),
            reference=request.reference or request.authorization,
            at=transaction.at,
            first=request.first_serial,
            first_transfer=first_transfers.early_event(record),
        )
    except BookError as error:
        raise CommandError(str(error)) from error


def _attributes(record: AuthorizationRecord, request: IssueRequest, sector: str) -> str:
    unit = request.underlying_unit
    template = Block(
        cooperative_approach=record.cooperative_approach,
        originating_registry="AAA00",
        first_transferring_party=record.authorizing_party,
        vintage=request.vintage,
        first_serial=1,
        last_serial=1,
        quantity=1,
        metric=record.metric,
        mitigation_type=request.mitigation_type,
        authorization_id=record.authorization_id,
        authorization_version=record.version,
        sector=sector,
        activity_type=request.activity_type,
        non_ghg_metric=record.non_ghg_metric,
        gwp_values=record.gwp_values,
        underlying_unit=None if unit is None else UnderlyingUnit(**unit),
    )
    return attributes_of(template)


def use_units(transaction: Transaction, request: UseRequest) -> Action:
    """Reserve units and submit their use; they are used when the hub has recorded it.

    Raises:
        CommandError: the units are not free, or a field is wrong.
    """
    action_id, blocks = _set_aside(
        transaction,
        request.account,
        request.cooperative_approach,
        request.quantity,
        request.ranges,
    )
    body = ActionUse(
        action_id=action_id,
        cooperative_approach=request.cooperative_approach,
        account=request.account,
        purpose=request.purpose,
        using_party=request.using_party or transaction.participant[:3],
        using_entity=request.using_entity,
        calendar_year=request.calendar_year,
        oimp_purpose=request.oimp_purpose,
        quantity=sum(block.quantity for block in blocks),
        blocks=blocks,
    )
    return submit_action(transaction, "action.use", body)


def cancel_units(transaction: Transaction, request: CancellationRequest) -> Action:
    """Reserve units and submit their cancellation; final when the hub has recorded it.

    Raises:
        CommandError: the units are not free, or a field is wrong.
    """
    action_id, blocks = _set_aside(
        transaction,
        request.account,
        request.cooperative_approach,
        request.quantity,
        request.ranges,
    )
    body = ActionCancellation(
        action_id=action_id,
        cooperative_approach=request.cooperative_approach,
        account=request.account,
        kind=request.kind,
        cancelling_party=request.cancelling_party or transaction.participant[:3],
        cancelling_entity=request.cancelling_entity,
        oimp_purpose=request.oimp_purpose,
        quantity=sum(block.quantity for block in blocks),
        blocks=blocks,
    )
    return submit_action(transaction, "action.cancellation", body)


def _set_aside(
    transaction: Transaction,
    account: str,
    approach: str,
    quantity: int | None,
    ranges: Sequence[RangeRequest] | None,
) -> tuple[str, tuple[Block, ...]]:
    connection = transaction.connection
    action_id = tracking.next_number(connection, transaction.participant)
    try:
        spans = selection.choose(connection, account, approach, quantity, ranges)
        held = book.reserve(connection, account, spans, action_id, transaction.at)
    except BookError as error:
        raise CommandError(str(error)) from error
    return action_id, tuple(block_of(block) for block in held)


def submit_action(
    transaction: Transaction, type_: str, body: ActionUse | ActionCancellation
) -> Action:
    """Submit a use or cancellation and track it. Raises CommandError if it may not be sent."""
    try:
        transaction.submit(transaction.hub, [(type_, body, body.action_id)])
    except MessageInvalidError as error:
        raise CommandError(str(error)) from error
    return track_action(transaction, type_, encode_body(body))


def track_action(transaction: Transaction, type_: str, plain: dict[str, Any]) -> Action:
    """Store the tracking row of an action that was submitted in this transaction."""
    action = Action(
        action_id=plain["action_id"],
        type=type_,
        state="submitted",
        account=plain.get("account"),
        quantity=plain["quantity"],
        body=plain,
        created_at=transaction.at,
        changed_at=transaction.at,
        detail="",
    )
    tracking.add_action(transaction.connection, action)
    return action
