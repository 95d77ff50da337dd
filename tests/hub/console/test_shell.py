"""What every page has: headers, languages, errors that say what happened, files by version."""

import asyncio
import json

import pytest

from hub.console.rendering import instant, ticked
from hub.console.security import csrf_of, visit_cookie
from tests.hub.console.console_world import ConsoleWorld


async def test_an_unknown_page_is_a_page_that_says_so(console: ConsoleWorld) -> None:
    """Not found, with the way back."""
    page = await console.get("/no/such/page")
    assert page.status == 404
    assert "Not found" in page.text


async def test_every_answer_forbids_the_browser_everything_but_our_own_files(
    console: ConsoleWorld,
) -> None:
    """Strict policy on pages, errors and files alike."""
    asset = console.console.assets.address("css/console.css")
    for path, as_ in (("/no/such/page", "viewer"), ("/no/such/page", None), (asset, None)):
        page = await console.get(path, as_)
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'"), path
        assert "unsafe" not in page.headers["Content-Security-Policy"], path
        assert page.headers["X-Content-Type-Options"] == "nosniff", path
        assert page.headers["X-Frame-Options"] == "DENY", path


async def test_another_host_name_reaches_nothing(console: ConsoleWorld) -> None:
    """A page of another name that resolves to us is not served."""
    page = await console.get("/no/such/page", Host="evil.example")
    assert page.status == 421


async def test_a_file_outside_of_the_static_folder_is_not_found(console: ConsoleWorld) -> None:
    """No path leads out of what was read at the start."""
    version = console.console.assets.version
    for name in (
        "../application.py",
        "..%2fapplication.py",
        "%2e%2e/application.py",
        "//etc/passwd",
    ):
        page = await console.get(f"/static/{version}/{name}", None)
        assert page.status == 404, name
    assert (await console.get("/static/0000/css/console.css", None)).status == 404


async def test_the_language_is_what_the_browser_asks_for_until_somebody_chooses(
    console: ConsoleWorld,
) -> None:
    """Accept-Language, then the person's own choice."""
    page = await console.get("/no/such/page", **{"Accept-Language": "ar-EG,en;q=0.5"})
    assert '<html lang="ar" dir="rtl"' in page.text
    form = {"language": "ru", "theme": "dark", "back": "//evil.example"}
    answer = await console.post("/preferences", form, as_="viewer")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    page = await console.get("/no/such/page", **{"Accept-Language": "ar-EG"})
    assert '<html lang="ru" dir="ltr" data-bs-theme="dark"' in page.text


async def test_a_form_without_the_token_of_its_session_changes_nothing(
    console: ConsoleWorld,
) -> None:
    """Forged forms are refused, and say what to do."""
    form = {"language": "ru", "theme": "dark", "back": "/"}
    for csrf in ("", "wrong", "ü"):
        answer = await console.post("/preferences", form, as_="viewer", csrf=csrf or "-")
        assert answer.status == 403, csrf
        assert "This form was not sent from a page of your session" in answer.text
    foreign = await console.post("/preferences", form, as_="viewer", Origin="https://evil.example")
    assert foreign.status == 403


async def test_whoever_watches_the_process_hears_under_any_name_that_it_is_ready(
    console: ConsoleWorld,
) -> None:
    """A proxy asks by address; it learns no more than that."""
    page = await console.get("/health/ready", None, Host="10.0.0.7:8480")
    assert (page.status, page.text) == (200, '{"status": "ready", "database": "ready"}')
    assert (await console.get("/health/live", None)).text == '{"status": "live"}'


@pytest.mark.parametrize(
    "message",
    ["Sessions ended: {count:>300000000}.", "{count.__class__.__mro__}", "{nobody}", "{", "{0}"],
    ids=["width", "attribute", "unknown", "open", "number"],
)
async def test_a_message_in_a_cookie_is_filled_with_its_words_and_nothing_else(
    console: ConsoleWorld, message: str
) -> None:
    """Whoever made the cookie: no format takes memory, looks into values or fails the page."""
    text = json.dumps(["info", message, {"count": "7"}]).encode().hex()
    page = await console.get("/sign-in", None, Cookie=f"itmo-flash={text}")
    assert page.status == 200
    assert len(page.text) < 100_000
    assert message.replace(">", "&gt;") in page.text


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded; charset=punycode", b"a" * 200_000, 400),
        ("application/x-www-form-urlencoded; charset=nonsense", b"a=b", 400),
        ("application/x-www-form-urlencoded", b"csrf=\xff", 400),
        ("multipart/form-data; boundary=b", b"no part", 403),
    ],
    ids=["slow", "unknown", "bytes", "parts"],
)
async def test_a_body_that_no_page_of_ours_sends_is_refused_unread(
    console: ConsoleWorld, content_type: str, body: bytes, status: int
) -> None:
    """Nobody is made to decode what would take long, and none of it is a defect."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    headers = {"Content-Type": content_type, "Cookie": f"{visit_cookie(console.console)}=abc"}
    page = await console.ask("POST", "/sign-in", None, data=body, headers=headers)
    assert page.status == status
    assert loop.time() - begun < 0.5


async def test_an_object_in_another_coding_is_refused_unread(console: ConsoleWorld) -> None:
    """Scripts send UTF-8."""
    headers = {
        "Content-Type": "application/json; charset=nonsense",
        "X-CSRF-Token": csrf_of("abc"),
        "Cookie": f"{visit_cookie(console.console)}=abc",
    }
    page = await console.ask("POST", "/sign-in/passkey", None, data=b"{}", headers=headers)
    assert page.status == 400


@pytest.mark.parametrize(
    ("header", "method", "path", "status"),
    [
        ("Cookie: itmo-visit=\xff", "GET", "/sign-in", 200),
        ("Cookie: itmo-theme=\xff", "GET", "/sign-in", 200),
        ("Cookie: itmo-session=\xff", "GET", "/", 303),
        ("X-CSRF-Token: \xff", "POST", "/preferences", 403),
    ],
)
async def test_bytes_that_are_no_text_are_no_defect(
    console: ConsoleWorld, header: str, method: str, path: str, status: int
) -> None:
    """In cookies and tokens they are wrong like anything else."""
    assert console.client.server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", console.client.server.port)
    host = console.console.address.partition("://")[2]
    cookie = "" if header.startswith("Cookie") else "Cookie: itmo-visit=abc\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}{header}"
    writer.write(head.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]


async def test_what_is_nearly_a_number_is_refused(console: ConsoleWorld) -> None:
    """Two signs before it make no number, and no defect."""
    page = await console.get("/acts?before=--5", "auditor")
    assert page.status == 400


def test_code_in_a_sentence_is_told_apart_and_nothing_in_it_is_markup() -> None:
    """Backticks of ours become code; a lone one, and any markup, stay text."""
    assert ticked("run `a <b>` now & then") == "run <code>a &lt;b&gt;</code> now &amp; then"
    assert ticked("a lone ` stays <i>") == "a lone ` stays &lt;i&gt;"


def test_an_instant_in_the_protocol_s_form_is_shown_like_any_other() -> None:
    """With its machine-readable form beside it."""
    shown = instant("2026-11-23T03:08:00.200Z")
    assert "2026-11-23 03:08:00 UTC" in shown
    assert 'datetime="2026-11-23T03:08:00.200Z"' in shown
