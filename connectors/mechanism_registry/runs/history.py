"""SQL of the runs over a feed: when each began and ended, how many lines, how fast.

Every function works on an open connection and never commits.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connectors.mechanism_registry import totals
from connectors.mechanism_registry.tables import feed_run


@dataclass(frozen=True, slots=True)
class Run:
    """A run over a feed: lines and seconds of the survey, then of the push.

    ``ending`` and ``ended_at`` are None while it goes on, and for ever if the process was killed.
    """

    feed_id: int
    started_at: str = ""
    ended_at: str | None = None
    ending: str | None = None
    surveyed_lines: int = 0
    survey_seconds: float = 0.0
    pushed_lines: int = 0
    push_seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the run as JSON values, with its speed in lines a second."""
        found = asdict(self)
        del found["feed_id"]
        for phase, lines, seconds in (
            ("survey", self.surveyed_lines, self.survey_seconds),
            ("push", self.pushed_lines, self.push_seconds),
        ):
            found[f"{phase}_lines_per_second"] = round(lines / seconds, 1) if seconds else None
        return found


def begin(connection: Connection, run: Run, at: str) -> int:
    """Note that a run's push begins; return the run's number."""
    values = asdict(run) | {"started_at": at}
    key = connection.execute(insert(feed_run).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def end(
    connection: Connection, run_id: int, ending: str, lines: int, seconds: float, at: str
) -> None:
    """Note how a run ended, how many lines it put into the outbox, and in how many seconds."""
    connection.execute(
        update(feed_run)
        .where(feed_run.c.run_id == run_id)
        .values(ended_at=at, ending=ending, pushed_lines=lines, push_seconds=seconds)
    )


def of_feeds(connection: Connection, feeds: totals.FeedIds, limit: int) -> list[Run]:
    """Return up to ``limit`` runs over feeds, the newest first."""
    columns = [feed_run.c[name] for name in Run.__dataclass_fields__]
    query = select(*columns).where(totals.of_feeds(feed_run, feeds))
    rows = connection.execute(query.order_by(feed_run.c.run_id.desc()).limit(limit))
    return [Run(**row) for row in rows.mappings()]
