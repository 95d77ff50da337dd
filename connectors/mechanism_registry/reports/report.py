"""What a run says at its end: figures for people and for programs, and the refusals one by one.

The figures come from the database and describe the feed as a whole, not this run alone: a run
that was killed and its successor end with the same report as one that was not.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from connectors.mechanism_registry import store, totals
from connectors.mechanism_registry.feeds.files import Surveyed
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.store import FeedState, Refusal

REFUSALS_PER_STEP: Final = 1_000
ISSUANCES_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """A feed's figures: lines by what became of them, and t CO2 eq that the hub took.

    ``quantity_apart`` moved nothing: contribution units kept back, and units authorized later.
    """

    feed: str
    accepted: int
    duplicates: int
    refused_here: int
    refused_by_hub: int
    waiting: int
    refused_by_rule: dict[str, int]
    quantity_by_kind: dict[str, int]
    quantity_by_account: dict[str, int]
    quantity_by_vintage: dict[str, int]
    quantity_by_party: dict[str, int] = field(default_factory=dict)
    kept_back: int = 0
    quantity_apart: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Tell whether every line of the feed is with the hub."""
        return not (self.refused_here or self.refused_by_hub or self.waiting)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def report_of_feed(connection: Connection, state: FeedState) -> Report:
    """Return the figures of a feed, as the database has them."""
    return report_of_feeds(connection, state.name, state.feed_id, state.known_count)


def report_of_feeds(
    connection: Connection, name: str, feeds: totals.FeedIds, known_count: int
) -> Report:
    """Return the figures of one feed or of several; ``known_count`` lines were not sent again."""
    outcomes = totals.count_outcomes(connection, feeds)
    refused = totals.count_refused_lines(connection, feeds)
    return Report(
        feed=name,
        accepted=outcomes.get("accepted", 0),
        duplicates=outcomes.get("duplicate-of", 0) + known_count,
        refused_here=refused.get("feed", 0),
        refused_by_hub=refused.get("hub", 0),
        waiting=outcomes.get(None, 0),
        refused_by_rule=totals.count_refused(connection, feeds),
        quantity_by_kind=totals.sum_quantities(connection, feeds, "kind"),
        quantity_by_account=totals.sum_quantities(connection, feeds, "account"),
        quantity_by_vintage=totals.sum_quantities(connection, feeds, "vintage"),
        quantity_by_party=totals.sum_quantities(connection, feeds, "party"),
        kept_back=outcomes.get(store.KEPT, 0),
        quantity_apart=totals.sum_apart(connection, feeds),
    )


def report_of_survey(name: str, surveyed: Surveyed) -> Report:
    """Return the figures of a dry run: what would be pushed counts as waiting."""
    totals = surveyed.totals
    return Report(
        feed=name,
        accepted=0,
        duplicates=0,
        refused_here=totals.refused_count,
        refused_by_hub=0,
        waiting=totals.sent_count,
        kept_back=totals.kept_count,
        refused_by_rule={
            f"{int(code)} {code.name}": count
            for code, count in totals.refused_by_rule.most_common()
        },
        quantity_by_kind=dict(sorted(totals.by_kind.items())),
        quantity_by_account=dict(sorted(totals.by_account.items())),
        quantity_by_vintage={
            str(year): totals.by_vintage[year] for year in sorted(totals.by_vintage)
        },
        quantity_apart=totals.apart(),
    )


def share_document(tally: IssuanceTally) -> dict[str, Any]:
    """Return the shares of one issuance as JSON values, in t CO2 eq."""
    return {
        "issuance_id": tally.issuance.issuance_id,
        "authorized": tally.issuance.authorized_quantity,
        "sop_due": tally.sop_due,
        "sop": tally.sop_done,
        "omge_due": tally.omge_due,
        "omge": tally.omge_done,
        "forwarded": tally.forwarded,
        "complete": tally.shares_complete,
    }


def lacking_first(
    tallies: Iterable[IssuanceTally], most: int
) -> tuple[list[IssuanceTally], int, int]:
    """Return up to ``most`` issuances, those that lack a share first; how many there are; lack."""
    complete: list[IssuanceTally] = []
    lacking: list[IssuanceTally] = []
    count = lacking_count = 0
    for tally in tallies:
        count += 1
        lacking_count += not tally.shares_complete
        items = complete if tally.shares_complete else lacking
        if len(items) < most:
            items.append(tally)
    return (lacking + complete)[:most], count, lacking_count


def print_shares(console: Console, tallies: Iterable[IssuanceTally]) -> None:
    """Print the shares of the issuances, incomplete ones first and not more than a page."""
    shown, count, lacking = lacking_first(tallies, ISSUANCES_SHOWN_MAX)
    if not shown:
        return
    table = Table(title=f"{count} issuances, {lacking} with incomplete shares")
    columns = ("issuance", "authorized", "adaptation", "due", "OMGE", "due", "forwarded")
    for number, title in enumerate(columns):
        table.add_column(title, justify="right" if number else "left")
    for tally in shown:
        figures = [tally.issuance.authorized_quantity, tally.sop_done, tally.sop_due]
        figures += [tally.omge_done, tally.omge_due, tally.forwarded]
        table.add_row(
            tally.issuance.issuance_id,
            *(f"{figure:,}" for figure in figures),
            style=None if tally.shares_complete else "red",
        )
    console.print(table)
    if count > len(shown):
        console.print(f"… and {count - len(shown)} more issuances")


def print_report(console: Console, report: Report, *, dry_run: bool) -> None:
    """Print the figures as a table."""
    table = Table(title=report.feed, show_header=False)
    table.add_column("what")
    table.add_column("how much", justify="right")
    for name, count in (
        ("accepted", report.accepted),
        ("duplicates", report.duplicates),
        ("kept back (contribution units)", report.kept_back),
        ("refused here", report.refused_here),
        ("refused by the hub", report.refused_by_hub),
        ("would be pushed" if dry_run else "waiting for an answer", report.waiting),
    ):
        table.add_row(name, f"{count:,}")
    for title, figures in (
        ("lines refused by", report.refused_by_rule),
        ("t CO2 eq by kind", report.quantity_by_kind),
        ("t CO2 eq to account", report.quantity_by_account),
        ("t CO2 eq of vintage", report.quantity_by_vintage),
        ("t CO2 eq first transferred by", report.quantity_by_party),
        ("t CO2 eq that did not leave:", report.quantity_apart),
    ):
        if figures:
            table.add_section()
        for name, count in figures.items():
            table.add_row(f"{title} {name}", f"{count:,}")
    console.print(table)


def refusal_document(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as JSON values; absent members are left out.

    In XML ``line`` is where the record begins and ``record`` is its number.
    """
    members = {name: value for name, value in asdict(refusal).items() if value is not None}
    for name in ("offset_bytes", "end_bytes", "issuance_id"):
        members.pop(name, None)
    if "source_line" in members:
        members = {"line": members.pop("source_line"), "record": members.pop("line"), **members}
    first, last = members.pop("block_first", None), members.pop("block_last", None)
    if first is not None:
        members["block"] = {"first_id": first, "last_id": last}
    return members


def refusal_line(refusal: Refusal) -> str:
    """Return a refusal as one JSON line, with its line break."""
    document = refusal_document(refusal)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def stored_refusals(connection: Connection, feed_id: int) -> Iterator[Refusal]:
    """Return all refusals of a feed in the order of its lines."""
    after = (0, -1)
    while page := store.fetch_refusals(connection, feed_id, after, REFUSALS_PER_STEP):
        yield from (refusal for _, refusal in page)
        after = page[-1][0]


def write_refusals(path: Path, refusals: Iterable[Refusal]) -> int:
    """Write refusals as JSON lines, replacing the file; return how many there are."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for refusal in refusals:
            file.write(refusal_line(refusal))
            count += 1
    return count
