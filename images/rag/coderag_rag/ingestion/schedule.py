"""When something is due: by a cron expression, or sooner after a failure."""

from datetime import datetime, timedelta

from croniter import croniter

_FIRST_RETRY, _LONGEST_RETRY = 5.0, 300.0


def next_time(schedule: str, now: datetime) -> datetime:
    """Return the next moment of a cron expression."""
    planned: datetime = croniter(schedule, now).get_next(datetime)
    return planned


def next_sync(schedule: str | None, now: datetime, failures: int) -> datetime | None:
    """Return the time of the next sync; after failures with doubling waits, but never later than planned.

    Without a schedule there is none, unless the last one failed.
    """
    planned = next_time(schedule, now) if schedule else None
    if not failures:
        return planned
    retry = now + timedelta(seconds=min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures - 1, 10)))
    return min(planned, retry) if planned else retry
