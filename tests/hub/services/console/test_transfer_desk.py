"""The list of transfers as the page asks for it: cursors both ways, the export, what is refused."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services.console.finding_desk import FindingDesk
from hub.services.console.transfers import transfer_desk
from hub.services.console.transfers.transfer_desk import Asked, AskedError, TransferDesk, asked_of
from hub.store.database import Database
from tests.hub.services.console.test_transfer_story import ground
from tests.hub.world import World

COUNT = 7


@pytest.fixture
def world(registered_url: str) -> World:
    """Return a hub with some transfers, on either database."""
    made = World(Database(registered_url))
    made.begin()
    for number in range(COUNT):
        made.propose(f"THA01-{number + 1}", 100 * number + 1, 100 * number + 50)
    return made


def test_cursors_lead_to_the_end_and_back(world: World) -> None:
    """Three at a time: all of them once, and the same pages on the way back."""
    desk = TransferDesk(ground(world))
    pages = [desk.page(Asked(), limit=3)]
    while pages[-1].older is not None:
        pages.append(desk.page(Asked(), older=pages[-1].older, limit=3))
    shown = [[row.transfer_id for row in page.rows] for page in pages]
    assert shown == [
        ["THA01-7", "THA01-6", "THA01-5"],
        ["THA01-4", "THA01-3", "THA01-2"],
        ["THA01-1"],
    ]
    assert pages[0].newer is None
    back = desk.page(Asked(), newer=pages[2].newer, limit=3)
    assert back.rows == pages[1].rows
    first = desk.page(Asked(), newer=back.newer, limit=3)
    assert first.rows == pages[0].rows
    assert first.newer is None
    assert desk.page(Asked(), older=first.older, limit=3).rows == pages[1].rows


def test_the_export_has_every_row_up_to_its_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in pages, whatever their size."""
    monkeypatch.setattr(transfer_desk, "_EXPORT_PAGE_ROWS", 2)
    desk = TransferDesk(ground(world))
    for rows_max in (3, 100):
        text = b"".join(desk.export(Asked(), rows_max)).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        ids = [f"THA01-{number}" for number in range(COUNT, 0, -1)]
        assert [row["transfer"] for row in rows] == ids[:rows_max]


@given(
    typed=st.dictionaries(
        st.sampled_from([*transfer_desk.NAMES, "else"]), st.text(max_size=250), max_size=4
    )
)
def test_whatever_is_typed_is_judged_or_refused_by_name(typed: dict[str, str]) -> None:
    """Nothing else ever comes of it."""
    refused: AskedError | None = None
    asked = Asked()
    try:
        asked = asked_of(typed)
    except AskedError as error:
        refused = error
    assert refused is None or (refused.field in typed and refused.text)
    assert set(asked.typed) <= set(transfer_desk.NAMES)


def test_nothing_that_is_typed_leads_out_of_the_console(world: World) -> None:
    """Paths are made of what was recognised."""
    desk = FindingDesk(ground(world))
    for typed in (
        "//evil.example",
        "https://evil.example",
        "THA01-1/../../x",
        "\\\\evil",
        "CA0001-THA01-THA-1-2022..//evil.example",
        "A" * 10_000,
        "0" * 400,
        "\x00",
        "THA01-1\nX: y",
        "2026-13-45",
        "9" * 18,
    ):
        for hit in desk.find(typed):
            assert hit.path.startswith("/")
            assert not hit.path.startswith("//")
            assert "evil" not in hit.path or hit.path.startswith("/transfers?account=")


@pytest.mark.parametrize(
    ("typed", "paths"),
    [
        ("THA01-1", ["/transfers/THA01-1"]),
        ("tha01", ["/registries/THA01", "/transfers?registry=THA01"]),
        ("CHE", ["/registries/CHE01", "/transfers?party=CHE"]),
        ("CA0001", ["/transfers?approach=CA0001"]),
        ("CA0009", []),
        ("1", ["/acts/1", "/log/entries/1"]),
        ("TH-1", ["/transfers?account=TH-1"]),
        ("no such thing", []),
    ],
)
def test_what_has_a_name_is_found_by_it(world: World, typed: str, paths: list[str]) -> None:
    """The nearest first."""
    assert [hit.path for hit in FindingDesk(ground(world)).find(typed)] == paths
