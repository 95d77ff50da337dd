"""Evidence at the console's pages: checked step by step, taken away under a name of ours."""

import pytest
from sqlalchemy import update

from hub.evidence import bundles
from hub.evidence.bundles import Evidence
from hub.services.console.transfers import transfer_proof
from hub.store import transfers
from hub.store.tables import envelope
from tests.hub.console.console_world import ConsoleWorld
from tests.integration.peers import acceptance


def proposed_at(console: ConsoleWorld) -> int:
    """Return the log index of the first transfer's proposal."""
    with console.database.reading() as connection:
        return transfers.load(connection, ["THA01-1"])["THA01-1"].proposed_log_index


async def test_the_check_shows_each_step_and_what_it_does_not_prove(console: ConsoleWorld) -> None:
    """Offered by a page, run by a form, with links to the entries."""
    offered = await console.get("/transfers/THA01-1/verify", as_="auditor")
    assert "Verify now" in offered.text
    page = await console.post("/transfers/THA01-1/verify", as_="auditor")
    assert page.status == 200
    for words in (
        "Everything holds",
        "Tree head signed by the log",
        "Signature of the message",
        "Receipt of the hub",
        "Leaf in the tree",
        "What this does not prove",
        "An auditor takes the evidence away",
        f'href="/log/entries/{proposed_at(console)}"',
    ):
        assert words in page.text, words
    assert "console-badge-danger" not in page.text


async def test_a_changed_row_is_called_false_and_where(console: ConsoleWorld) -> None:
    """FAILED at the top, and in the step."""
    with console.database.writing() as connection:
        connection.execute(
            update(envelope)
            .where(envelope.c.log_index == proposed_at(console))
            .values(body=b'{"not": "what was signed"}')
        )
    page = await console.post("/transfers/THA01-1/verify", as_="auditor")
    assert page.status == 200
    assert "FAILED: something is false" in page.text
    assert f"(entry {proposed_at(console)}): the envelope here is not the one" in page.text
    shown = await console.get("/transfers/THA01-1", as_="auditor")
    assert shown.status == 200
    assert "cannot be read" in shown.text


@pytest.mark.parametrize("path", ["verify", "evidence"])
async def test_evidence_is_for_those_who_may_read_messages(
    console: ConsoleWorld, path: str
) -> None:
    """A viewer gets neither; nobody at all is led to sign in."""
    assert (await console.get(f"/transfers/THA01-1/{path}", as_="viewer")).status == 403
    assert (await console.get(f"/transfers/THA01-1/{path}", None)).status == 303


async def test_the_file_is_taken_away_under_a_name_of_ours(console: ConsoleWorld) -> None:
    """A bundle as the command line makes it."""
    async with console.client.get(
        "/transfers/THA01-1/evidence",
        headers={"Cookie": f"itmo-session={console.token('auditor')}"},
    ) as response:
        body = await response.read()
        assert response.status == 200
        assert response.content_type == "application/zip"
        wanted = 'attachment; filename="evidence-THA01-1.zip"'
        assert response.headers["Content-Disposition"] == wanted
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    evidence: Evidence = bundles.read(body)
    assert (evidence.transfer_id, evidence.made_by) == ("THA01-1", "XHB01")


async def test_what_no_tree_covers_yet_is_said_with_when_to_come_back(
    console: ConsoleWorld,
) -> None:
    """Conflict for now, and a hint when to try again."""
    world = console.world
    digest = world.propose("THA01-8", 800, 810)
    world.say("CHE01", "THA01", acceptance("THA01-8", digest))
    for method in ("get", "post"):
        ask = console.get if method == "get" else console.post
        path = "evidence" if method == "get" else "verify"
        page = await ask(f"/transfers/THA01-8/{path}", as_="auditor")
        assert page.status == 409
        assert page.headers["Retry-After"] == "15"
        assert "try again in a moment" in page.text
    page = await console.get("/transfers/THA01-8")
    assert "in no tree yet" in page.text


async def test_a_second_check_of_the_same_person_waits(
    console: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many at once is said as that."""
    monkeypatch.setattr(transfer_proof, "CHECKS_MAX", 0)
    page = await console.post("/transfers/THA01-1/verify", as_="auditor")
    assert page.status == 429
    assert "A check is running already" in page.text
