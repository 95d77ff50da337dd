"""The routes of the local API that only look."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web
from sqlalchemy import Connection, select

from connectors.party_registry import book_commands, book_store, tracking, webhook_store
from connectors.party_registry.api_support import (
    LIMIT_MAX,
    REGISTRY,
    SESSION,
    block_view,
    number,
    problem,
    respond,
)
from connectors.party_registry.book_tables import movement
from connectors.party_registry.check_book import check_book
from connectors.party_registry.kept_sums import check_sums
from connectors.party_registry.tracking import Transfer
from connectors.session import alarms, inbox, outbox_states, state

__all__ = ["ROUTES", "transfer_view"]


def transfer_view(transfer: Transfer) -> dict[str, Any]:
    """Return a transfer as the API shows it, with who is awaited."""
    return {**msgspec.to_builtins(transfer), "awaited": transfer.awaited}


async def get_ready(request: web.Request) -> web.Response:
    """Say whether the exchange can go on: nothing parked or paused, and a list believed."""
    session = request.app[SESSION]
    counts = await session.database.read(outbox_states.count_open)
    listed = session.context.trust.created_at is not None
    paused = session.context.pause is not None
    ready = counts["parked"] == 0 and listed and not paused
    shown = {"ready": ready, "outbox": counts, "participants_known": listed, "paused": paused}
    return respond(shown, 200 if ready else 503)


async def get_metrics(request: web.Request) -> web.Response:
    """Return the metrics for Prometheus."""
    text = await request.app[SESSION].render_metrics()
    return web.Response(body=text, content_type="text/plain", charset="utf-8")


async def get_accounts(request: web.Request) -> web.Response:
    """List the accounts of the book."""
    found = await request.app[SESSION].database.read(book_store.list_accounts)
    return respond({"accounts": found})


async def get_records(request: web.Request) -> web.Response:
    """List cooperative approaches and authorizations, with their states."""
    return respond(await request.app[SESSION].database.read(book_commands.list_records))


async def get_holdings(request: web.Request) -> web.Response:
    """List the blocks of the book, of one account or of all, page by page."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    after = number(request, "after", 0)
    account = request.query.get("account")

    def load(connection: Connection) -> list[Any]:
        return list(
            book_store.fetch_holdings(
                connection, account_id=account, after_block_id=after, limit=limit
            )
        )

    blocks = await request.app[SESSION].database.read(load)
    following = blocks[-1].block_id if len(blocks) == limit else None
    return respond({"blocks": [block_view(block) for block in blocks], "next": following})


async def get_history(request: web.Request) -> web.Response:
    """List the movements of the book in order, of one reference or of all."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    query = (
        select(movement)
        .where(movement.c.movement_id > number(request, "after", 0))
        .order_by(movement.c.movement_id)
        .limit(limit)
    )
    if (reference := request.query.get("reference")) is not None:
        query = query.where(movement.c.reference == reference)

    def load(connection: Connection) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(query).mappings()]

    return respond({"movements": await request.app[SESSION].database.read(load)})


async def get_transfers(request: web.Request) -> web.Response:
    """List transfers, the last changed first."""
    limit = number(request, "limit", 100, LIMIT_MAX)

    def load(connection: Connection) -> list[Transfer]:
        return tracking.list_transfers(
            connection,
            state=request.query.get("state"),
            direction=request.query.get("direction"),
            limit=limit,
        )

    found = await request.app[SESSION].database.read(load)
    return respond({"transfers": [transfer_view(transfer) for transfer in found]})


async def get_transfer(request: web.Request) -> web.Response:
    """Show a transfer with its timeline."""
    transfer_id = request.match_info["transfer_id"]
    database = request.app[SESSION].database
    transfer = await database.read(tracking.fetch_transfer, transfer_id)
    if transfer is None:
        return problem(404, "transfer", f"there is no transfer {transfer_id}")
    timeline = await database.read(tracking.fetch_timeline, transfer_id)
    return respond({**transfer_view(transfer), "timeline": timeline})


async def get_actions(request: web.Request) -> web.Response:
    """List uses and cancellations, the last changed first."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    found = await request.app[SESSION].database.read(
        lambda connection: tracking.list_actions(connection, limit=limit)
    )
    return respond({"actions": found})


async def get_inbox(request: web.Request) -> web.Response:
    """List inbox items after a sequence number, in order, and how far they were confirmed."""
    after, limit = number(request, "after", 0), number(request, "limit", 100, LIMIT_MAX)
    database = request.app[SESSION].database
    items = await database.read(inbox.list_items, after, limit)
    confirmed = await database.read(state.load_int, state.CONFIRMED_THROUGH)
    return respond({"items": items, "confirmed_through": confirmed})


async def get_outbox(request: web.Request) -> web.Response:
    """List sealed envelopes, the newest first, and count what waits."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    open_only = request.query.get("all") != "yes"
    database = request.app[SESSION].database
    found = await database.read(
        lambda connection: outbox_states.list_envelopes(
            connection, open_only=open_only, limit=limit
        )
    )
    counts = await database.read(outbox_states.count_open)
    return respond({"envelopes": found, "counts": counts})


async def get_alarms(request: web.Request) -> web.Response:
    """List alarms, the newest first."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    open_only = request.query.get("all") != "yes"
    found = await request.app[SESSION].database.read(
        lambda connection: alarms.list_alarms(connection, open_only=open_only, limit=limit)
    )
    return respond({"alarms": found})


async def get_webhooks(request: web.Request) -> web.Response:
    """Count the events that wait, and show the one that goes next."""
    database = request.app[SESSION].database
    event = await database.read(webhook_store.fetch_next)
    waiting = await database.read(webhook_store.count_waiting)
    following = None
    if event is not None:
        following = {
            "event_id": event.event_id,
            "kind": event.kind,
            "attempt_count": event.attempt_count,
        }
    return respond({"waiting": waiting, "next": following})


async def get_check(request: web.Request) -> web.Response:
    """Check the whole book against its journal, and the kept sums against the book."""
    if not request.app[REGISTRY].book:
        return problem(404, "book", "this connector keeps no book")
    database = request.app[SESSION].database
    secret = request.app[REGISTRY].reconciliation.secret
    problems = await database.read(check_book) + await database.read(check_sums, secret)
    return respond({"sound": not problems, "problems": problems})


ROUTES: Final = (
    web.get("/health/ready", get_ready),
    web.get("/metrics", get_metrics),
    web.get("/v1/accounts", get_accounts),
    web.get("/v1/records", get_records),
    web.get("/v1/holdings", get_holdings),
    web.get("/v1/history", get_history),
    web.get("/v1/transfers", get_transfers),
    web.get("/v1/transfers/{transfer_id}", get_transfer),
    web.get("/v1/actions", get_actions),
    web.get("/v1/inbox", get_inbox),
    web.get("/v1/outbox", get_outbox),
    web.get("/v1/alarms", get_alarms),
    web.get("/v1/webhooks", get_webhooks),
    web.get("/v1/check", get_check),
)
