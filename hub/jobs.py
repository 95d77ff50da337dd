"""The timed jobs as one table, run by APScheduler; only the leading process does their work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apscheduler.schedulers.asyncio import AsyncIOScheduler


@dataclass(frozen=True, slots=True)
class Job:
    """Something done every so many seconds; one run at a time, a missed run is not made up."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[None]]


def schedule(jobs: list[Job]) -> AsyncIOScheduler:
    """Return a scheduler of the jobs, not started yet."""
    scheduler = AsyncIOScheduler(timezone="UTC")
    for job in jobs:
        scheduler.add_job(
            job.run,
            "interval",
            seconds=job.every_seconds,
            id=job.name,
            max_instances=1,
            coalesce=True,
        )
    return scheduler
