"""Records to figures: exact percentiles (Locust's own are rounded), errors by kind, processor time per query."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.load.openloop import Record

OK, BUSY = 200, 429
# An answer, and no failure: the vectors of the index mean nothing, so some questions find nothing that is near them.
NOTHING_RELEVANT = "409 nothing_relevant"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed; nan for no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass(frozen=True)
class Result:
    """One scenario. Times in seconds; `cpu` and `rss` by service."""

    name: str
    rate: float
    seconds: float
    records: Sequence[Record]
    cpu: Mapping[str, float]
    rss: Mapping[str, float]
    load: float
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    indexed: float = 0.0

    @property
    def answered(self) -> list[Record]:
        """The requests that were answered as asked."""
        return [record for record in self.records if record.outcome.status == OK]

    @property
    def errors(self) -> Counter[str]:
        """What went wrong, by kind. A refusal is one too: within capacity there must be none."""
        failed = (record.outcome for record in self.records if record.outcome.status != OK)
        return Counter(f"{outcome.status or 'no answer'} {outcome.error}".strip() for outcome in failed)

    @property
    def failures(self) -> int:
        """How many requests went wrong."""
        return sum(self.errors.values()) - self.errors[NOTHING_RELEVANT]

    @property
    def degraded(self) -> int:
        """How many answers came without one of the legs of the search."""
        return sum(bool(record.outcome.error) for record in self.answered)

    def latency(self, share: float) -> float:
        """Return a percentile of the time from arrival to answer, of requests that were answered."""
        return percentile([record.latency for record in self.answered], share)

    @property
    def lateness(self) -> float:
        """99 % of the requests were sent at most this much after they were due."""
        return percentile([record.lateness for record in self.records], 0.99)

    @property
    def cpu_per_query(self) -> float:
        """Seconds of processor time of all services for each request, refused ones too."""
        return sum(self.cpu.values()) / len(self.records) if self.records else math.nan

    @property
    def refused(self) -> list[Record]:
        """The requests that were told to come back later."""
        return [record for record in self.records if record.outcome.status == BUSY]


def grows(values: Sequence[float], bound: float) -> bool:
    """Tell whether a queue grew: it went beyond its bound, or was still filling at the end.

    The last third is compared with the middle one: filling up at the start is what a bounded queue does.
    """
    third = len(values) // 3
    if not third:
        return bool(values) and max(values) > bound
    middle, last = values[third : 2 * third], values[-third:]
    still_filling = sum(last) / third > 1.25 * sum(middle) / third + 5
    return max(values) > bound or (still_filling and max(last) > bound / 2)
