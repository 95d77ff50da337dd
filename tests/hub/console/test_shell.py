"""What every page has: headers, languages, errors that say what happened, files by version."""

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
