"""The list of cases: narrowed, paged, kept, worked on, taken as a table; what it never shows."""

import re


from hub.store.reconciliation import cases
from tests.hub.console.console_world import ConsoleWorld


def case_ids(console: ConsoleWorld) -> list[str]:
    """Return the ids of all cases, oldest first."""
    with console.database.reading() as connection:
        return [row.case_id for row in cases.listed(connection, cases.Wanted())]


def listed(text: str) -> list[str]:
    """Return the ids of the cases that a page lists."""
    return re.findall(r'<th scope="row"><a href="/cases/([^"]+)"', text)


async def test_everybody_who_may_look_sees_the_open_cases(console: ConsoleWorld) -> None:
    """With their kind, registry and units; who works cases finds forms, others do not."""
    page = await console.get("/cases", as_="viewer")
    assert page.status == 200
    assert listed(page.text) == case_ids(console)
    assert "lost message" in page.text
    assert 'name="case"' not in page.text
    officer = await console.get("/cases", as_="officer")
    assert officer.text.count('name="case"') == len(case_ids(console))


async def test_a_case_page_renders(console: ConsoleWorld) -> None:
    """Smoke."""
    for case_id in case_ids(console):
        for as_ in ("viewer", "officer"):
            page = await console.get(f"/cases/{case_id}", as_=as_)
            assert page.status == 200, page.text
