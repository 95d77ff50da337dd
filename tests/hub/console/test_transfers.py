"""The pages of transfers: the list, one transfer, its messages, and what a peer may write there."""

import csv
import io
import re
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update

from hub.store import transfers
from hub.store.tables import participant, transfer
from tests.hub.console.console_world import ConsoleWorld, Page
from tests.hub.services.handlers.test_actions import use
from tests.hub.world import HUB, accepted
from tests.integration.peers import acceptance, block, proposal

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def ids_in(page: Page) -> list[str]:
    """Return the transfers that a list shows, in order."""
    return re.findall(r'<th scope="row"><a href="/transfers/([A-Z0-9-]+)"', page.text)


async def test_the_list_shows_the_newest_transfers_first(console: ConsoleWorld) -> None:
    """With state, both ends, units, and what is asked as chips."""
    page = await console.get("/transfers")
    assert page.status == 200
    assert ids_in(page) == ["THA01-4", "THA01-3", "THA01-2", "THA01-1"]
    page = await console.get("/transfers?state=rejected&party=che")
    assert ids_in(page) == ["THA01-3"]
    assert 'href="/transfers?party=che"' in page.text  # without the state


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("id=tha01-3", ["THA01-3"]),
        ("id=THA01", ["THA01-4", "THA01-3", "THA01-2", "THA01-1"]),
        ("registry=GHA01", ["THA01-4"]),
        ("account=GH-100-1", ["THA01-4"]),
        ("mode=notify_and_record", []),
        ("approach=CA0001&state=proposed", ["THA01-2"]),
        ("serials=CA0001-THA01-THA-99-2022..CA0001-THA01-THA-100-2022", ["THA01-2", "THA01-1"]),
        ("serials=CA0001-THA01-THA-160-2022", []),
        ("until=2020-01-01", []),
        ("since=2020-01-01T10:00&registry=CHE01&state=completed", ["THA01-1"]),
    ],
)
async def test_each_filter_narrows_the_list(
    console: ConsoleWorld, query: str, found: list[str]
) -> None:
    """Alone and together."""
    page = await console.get(f"/transfers?{query}")
    assert (page.status, ids_in(page)) == (200, found)


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("id=%27%3BDROP", "code, a hyphen"),
        ("serials=1..2", "FIRST_ID..LAST_ID"),
        ("registry=THA", "3 letters and 2 digits"),
        ("state=lost", "one of proposed"),
        ("since=yesterday", "a day such as"),
        ("until=2026-02-31", "a day such as"),
        ("older=1.x", "no place in the list"),
        (f"account={'x' * 60}", "50 characters"),
        (f"party={'x' * 300}", "200 printable"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_rule(
    console: ConsoleWorld, query: str, rule: str
) -> None:
    """The form stays as it was typed, and nothing is looked for."""
    page = await console.get(f"/transfers?{query}")
    assert page.status == 400
    assert rule in page.text
    assert "Nothing was looked for" in page.text or "older" in query
    assert ids_in(page) == []


async def test_the_table_to_take_has_the_same_rows_and_no_formula(console: ConsoleWorld) -> None:
    """CSV under a name of ours; an account that begins like a formula is a text."""
    _rewrite(console, "THA01-3", transferring_account="=1+1")
    page = await console.get("/transfers/export.csv?registry=CHE01")
    assert page.headers["Content-Disposition"] == 'attachment; filename="transfers.csv"'
    assert page.headers["Content-Type"].startswith("text/csv")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    rows = list(csv.DictReader(io.StringIO(page.text)))
    assert [row["transfer"] for row in rows] == ["THA01-3", "THA01-2", "THA01-1"]
    assert rows[0]["transferring_account"] == "'=1+1"
    assert (await console.get("/transfers/export.csv?state=lost")).status == 400


def _rewrite(console: ConsoleWorld, transfer_id: str, **values: str) -> None:
    """Write into a transfer what no schema would let pass."""
    with console.database.writing() as connection:
        connection.execute(
            update(transfer).where(transfer.c.transfer_id == transfer_id).values(**values)
        )


async def test_a_transfer_is_told_with_messages_deliveries_and_cases(console: ConsoleWorld) -> None:
    """Decoded for everybody; the case that names it; its route as a picture with words."""
    page = await console.get("/transfers/THA01-1")
    assert page.status == 200
    for words in (
        "transfer.proposal",
        "transfer.acknowledgement",
        "Emission reductions",
        "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-99-2022",
        "waits to be sent",
        "it names this transfer as the cause",
        "<desc id=",
        "/ledger/serial?units=CA0001-THA01-THA-1-2022..CA0001-THA01-THA-99-2022",
    ):
        assert words in page.text, words
    assert 'style="' not in page.text


async def test_a_transfer_in_flight_says_what_is_awaited(console: ConsoleWorld) -> None:
    """From whom, until when."""
    page = await console.get("/transfers/THA01-2")
    assert "CHE01 is to answer" in page.text
    assert "Serials set aside for it" in page.text


async def test_the_signed_bytes_are_for_those_who_may_read_messages(console: ConsoleWorld) -> None:
    """A viewer reads what was said, an auditor the words as they were signed."""
    viewer = await console.get("/transfers/THA01-1", as_="viewer")
    auditor = await console.get("/transfers/THA01-1", as_="auditor")
    assert "Exactly as it came" not in viewer.text
    assert "/evidence" not in viewer.text
    assert "Exactly as it came" in auditor.text
    index = _proposed_at(console, "THA01-1")
    for path in (f"/envelopes/{index}/envelope", f"/envelopes/{index}/receipt"):
        assert (await console.get(path, as_="viewer")).status == 403
        page = await console.get(path, as_="auditor")
        assert page.status == 200
        assert page.headers["Content-Type"] == "application/octet-stream"
        assert page.headers["Content-Disposition"].startswith("attachment; filename=")


def _proposed_at(console: ConsoleWorld, transfer_id: str) -> int:
    with console.database.reading() as connection:
        return transfers.load(connection, [transfer_id])[transfer_id].proposed_log_index


async def test_an_envelope_has_a_page_with_who_is_told(console: ConsoleWorld) -> None:
    """Linked with its transfers."""
    page = await console.get(f"/envelopes/{_proposed_at(console, 'THA01-1')}")
    assert page.status == 200
    assert 'href="/transfers/THA01-1"' in page.text
    assert "Who is told of it" in page.text
    assert (await console.get("/envelopes/0")).status == 404
    assert (await console.get(f"/envelopes/{10**17}")).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/transfers/..%2f..%2fetc%2fpasswd",
        "/transfers/THA01-1%0d%0aSet-Cookie:%20a=b",
        "/transfers/THA01-1%2fevidence",
        "/transfers/THA01-1'/evidence",
        "/transfers/THA01-1%22/evidence",
        "/transfers/THA01-99/evidence",
        "/transfers/THA01-99/verify",
        "/transfers/tha01-1",
        "/actions/THA01-1",
        "/envelopes/-1",
        "/envelopes/1/../2",
        "/envelopes/1/body",
    ],
)
async def test_an_address_that_is_none_of_ours_is_not_found(
    console: ConsoleWorld, path: str
) -> None:
    """No path leads anywhere else, and nothing of it comes back in a header."""
    page = await console.get(path, as_="auditor")
    assert page.status == 404
    assert "Set-Cookie" not in page.headers or "a=b" not in page.headers["Set-Cookie"]


async def test_whatever_a_peer_writes_is_shown_as_text(console: ConsoleWorld) -> None:
    """In messages, extensions, accounts, names, reasons and in what the checks found."""
    world = console.world
    body = {
        "reference": EVIL[:50],
        "extensions": {"example.org/evil": {EVIL: [EVIL, {"in": EVIL}]}},
    }
    receipt = accepted(world.say("THA01", "CHE01", proposal("THA01-66", block(600, 610), **body)))
    reasons = [{"text": EVIL, "code": "X"}]
    digest = receipt["envelope_sha256"]
    no = acceptance("THA01-66", digest, decision="reject", reasons=reasons)
    accepted(world.say("CHE01", "THA01", no))
    refused = world.say("THA01", "CHE01", proposal(EVIL, block(700, 710), purpose=EVIL))
    _rewrite(console, "THA01-66", acquiring_entity=EVIL, transferring_account=EVIL[:50])
    with console.database.writing() as connection:
        connection.execute(update(participant).values(name=EVIL))
    pages = [
        await console.get("/transfers", as_="auditor"),
        await console.get("/transfers/THA01-66", as_="auditor"),
        await console.get(f"/envelopes/{receipt['log_index']}", as_="auditor"),
        await console.get(f"/envelopes/{refused['log_index']}", as_="auditor"),
        await console.get("/find", as_="auditor"),
    ]
    for query in ("account", "id", "serials", "party", "since"):
        pages.append(await console.get(f"/transfers?{query}={_quoted(EVIL[:50])}"))
    pages.append(await console.get(f"/find?q={_quoted(EVIL)}"))
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert " 49 " not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[1].text
    assert "{{ 7*7 }}" in pages[1].text.replace("&#34;", '"')


def _quoted(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("THA01-1", "/transfers/THA01-1"),
        (" tha01-1 ", "/transfers/THA01-1"),
        ("//evil.example", None),
        ("https://evil.example/THA01-1", None),
        ("THA01-1\r\nLocation: https://evil.example", None),
        ("CHE01-7", "/actions/CHE01-7"),
        ("", None),
    ],
)
async def test_one_name_of_one_thing_leads_to_its_page(
    console: ConsoleWorld, typed: str, path: str | None
) -> None:
    """And nothing that is typed leads out of the console."""
    accepted(console.world.say("CHE01", HUB, use("CHE01-7", block(60, 69))))
    page = await console.get(f"/find?q={_quoted(typed)}")
    if path is None:
        assert page.status == 200
        assert "Nothing is called so" in page.text
    else:
        assert (page.status, page.headers["Location"]) == (303, path)
        assert (await console.get(path)).status == 200


@pytest.mark.parametrize(
    ("typed", "paths"),
    [
        ("CHE01", ["/transfers?registry=CHE01"]),
        ("THA", ["/transfers?party=THA"]),
        ("CA0001-THA01-THA-5-2022", ["/transfers?serials=CA0001-THA01-THA-5-2022"]),
        ("TH-1", ["/transfers?account=TH-1"]),
        ("CA0001", ["/transfers?approach=CA0001"]),
        ("3", ["/log/entries/3"]),
    ],
)
async def test_other_names_lead_to_what_they_name(
    console: ConsoleWorld, typed: str, paths: list[str]
) -> None:
    """A list, or at once where there is one thing alone."""
    page = await console.get(f"/find?q={_quoted(typed)}", as_="auditor")
    shown: Any = page.headers.get("Location") or page.text.replace("&amp;", "&")
    if page.status == 200:
        assert all(path in shown for path in paths), shown
    else:
        assert page.status == 303


async def test_a_search_is_kept_and_shown_again(console: ConsoleWorld) -> None:
    """Under a name, as a link over the list."""
    form = {"page": "transfers", "name": "Refused ones", "query": "state=rejected"}
    answer = await console.post("/filters", form, as_="viewer")
    assert answer.status == 303
    page = await console.get("/transfers?state=rejected", as_="viewer")
    assert "Refused ones" in page.text
