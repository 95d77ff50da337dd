"""The mechanism registry's books in tests: rows, and the HTTP interface that shows them.

The interface is written from the text of ``views`` alone, with filters of its own; ``faults`` make
the next answers wrong.
"""

import json
from collections import deque
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Row = dict[str, Any]
TOKEN = "a token of thirty-two characters.."
AS_OF = "2026-11-22T09:30:00.000Z"


def held(first: int, last: int, host: str, account_party: str | None, **more: Any) -> Row:
    """Return a row of holdings: units of a host Party in an account of a Party."""
    row = {
        "cooperative_approach": "CA0001",
        "originating_registry": "XMR01",
        "first_transferring_party": host,
        "vintage": 2022,
        "first_serial": first,
        "last_serial": last,
        "quantity": last - first + 1,
        "registry": "XMR01",
        "status": "authorized",
        "account": f"MR-{account_party or 'POOL'}-1",
        "account_party": account_party,
        **more,
    }
    return {name: value for name, value in row.items() if value is not None}


def happened(kind: str, first: int, last: int, host: str, **more: Any) -> Row:
    """Return a row of history."""
    row = held(first, last, host, None)
    return {
        "kind": kind,
        **{name: row[name] for name in list(row)[:7]},
        "reference": "XMR01-12",
        **more,
    }


class Books:
    """Rows over HTTP, as the registry serves them. Start it with ``async with``."""

    def __init__(self, holdings: list[Row], history: list[Row]) -> None:
        self.rows = {"holdings": holdings, "history": history}
        self.faults: deque[Any] = deque()
        self.asked: list[dict[str, str]] = []

    async def __aenter__(self) -> "Books":
        application = web.Application()
        application.router.add_get("/view/{view}", self._show)
        self.server = TestServer(application)
        await self.server.start_server()
        self.url = str(self.server.make_url("/view"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    async def _show(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"detail": "no token"}, status=401)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return web.json_response({"detail": f"fault {fault}"}, status=fault)
        if isinstance(fault, bytes):
            return web.Response(body=fault, content_type="application/json")
        view = request.match_info["view"]
        after, limit = int(query.get("after", "0")), int(query["limit"])
        rows = [row for row in self.rows[view] if _is_for(view, query, row)]
        page = {"as_of": query.get("as_of", AS_OF), "items": rows[after : after + limit]}
        if after + limit < len(rows):
            page["next"] = str(after + limit)
        if fault is not None:
            page = fault(page)
        return web.Response(text=json.dumps(page), content_type="application/json")


def _is_for(view: str, query: dict[str, str], row: Row) -> bool:
    parties = {row["first_transferring_party"]}
    names = ["account_party"] if view == "holdings" else ["from_party", "to_party"]
    parties.update(row[name] for name in names if name in row)
    if query["party"] not in parties:
        return False
    if "transfer_id" in query:
        return bool(row["reference"] == query["transfer_id"])
    if "first_serial" in query and not (
        row["first_serial"] <= int(query["last_serial"])
        and row["last_serial"] >= int(query["first_serial"])
    ):
        return False
    filters = ("registry", "account", "cooperative_approach", "vintage", "status")
    return all(str(row[name]) == query[name] for name in filters if name in query)
