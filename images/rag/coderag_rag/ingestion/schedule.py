"""When the next sync of a repository is due: by its cron expression, or sooner after a failure."""

from datetime import datetime, timedelta

from croniter import croniter

_FIRST_RETRY, _LONGEST_RETRY = 5.0, 300.0


def next_sync(schedule: str, now: datetime, failures: int) -> datetime:
    """Return the time of the next sync; after failures with doubling waits, but never later than planned."""
    planned: datetime = croniter(schedule, now).get_next(datetime)
    if not failures:
        return planned
    wait = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures - 1, 10))
    return min(planned, now + timedelta(seconds=wait))
