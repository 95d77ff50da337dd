"""When nights are due: each has the date on which it begins, UTC."""

from datetime import UTC, date, datetime, time, timedelta


def due_at(night: date, at: str) -> datetime:
    """Return when a night is due; ``at`` is a time of day such as 01:30."""
    return datetime.combine(night, time.fromisoformat(at), UTC)


def latest_due(at: str, now: datetime) -> date:
    """Return the latest night that is due."""
    today = now.astimezone(UTC).date()
    return today if due_at(today, at) <= now else today - timedelta(days=1)


def missed_between(last: date | None, tonight: date) -> list[date]:
    """Return the nights after ``last`` and before ``tonight``; none if no night ever ran."""
    if last is None:
        return []
    return [last + timedelta(days=n) for n in range(1, (tonight - last).days)]
