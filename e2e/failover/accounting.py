"""From records to figures: counts that add up, the first affected request, the outage, what later requests paid.

Pure: the records of a run, the time of the fault and the name of the usual server go in, a Summary comes out.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from e2e.failover.record import Outcome, Record

# A request counts as affected when it took this much longer than the healthy median.
NOTICEABLE = 1.0


@dataclass(frozen=True)
class Window:
    """The time from the fault's beginning to the end of what it did."""

    start: float
    end: float

    def touches(self, record: Record) -> bool:
        """Tell whether the request was under way during the window."""
        return record.end >= self.start and record.start <= self.end


@dataclass(frozen=True)
class Summary:
    """What one target's callers saw of one fault; durations in seconds, None where there was nothing to measure."""

    sent: int
    outcomes: Counter[str]
    healthy: float | None  # median before the fault
    p50: float | None
    p95: float | None
    longest: float | None
    first_affected: float | None  # how long the first one waited, from the fault on
    detected: float | None  # from the fault until the stand-in answered for the first time
    before_detection: int  # affected requests that were on their way by then
    later_excess: float | None  # the worst wait of the requests after that, above the healthy median
    outage: float  # the longest time in which nobody got an answer
    stood_in: float | None  # from the fault until the stand-in's last answer
    served_by: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Return the requests that got no answer; streams that had begun are counted apart."""
        return self.sent - self.outcomes[Outcome.OK] - self.cut

    @property
    def cut(self) -> int:
        """Return the streams that had begun and were cut."""
        return self.outcomes[Outcome.CUT]


def summarise(records: Sequence[Record], fault: Window, usual: str = "") -> Summary:
    """Return the figures of one target; `usual` is who serves it when all is well."""
    healthy = healthy_median(records, fault)
    during = [record for record in records if fault.touches(record)]
    waits = [record.latency for record in during if record.is_ok]
    detected = detect(during, fault, usual)
    hit = sorted((record for record in during if is_affected(record, healthy, usual)), key=lambda r: r.start)
    return Summary(
        sent=len(records),
        outcomes=Counter(record.outcome for record in records),
        healthy=healthy,
        p50=quantile(waits, 0.5),
        p95=quantile(waits, 0.95),
        longest=max(waits, default=None),
        first_affected=wait_of(hit[0], fault) if hit else None,
        detected=None if detected is None else detected - fault.start,
        before_detection=sum(1 for record in hit if detected is None or record.start < detected),
        later_excess=excess(during, detected, healthy),
        outage=longest_gap([record.answered for record in during if record.is_ok], fault),
        stood_in=stood_in(records, fault, usual),
        served_by=Counter(record.served_by for record in during if record.served_by),
    )


def wait_of(record: Record, fault: Window) -> float:
    """Return how long a request waited because of the fault; one without an answer waited to its end."""
    until = record.answered if record.is_ok else record.end
    return until - max(record.start, fault.start)


def healthy_median(records: Iterable[Record], fault: Window) -> float | None:
    """Return the median wait of the requests that were over before the fault."""
    waits = [record.latency for record in records if record.is_ok and record.end < fault.start]
    return median(waits) if waits else None


def is_affected(record: Record, healthy: float | None, usual: str) -> bool:
    """Tell whether the fault can be seen in this request: no answer, another server, or a noticeable wait."""
    if not record.is_ok or (usual and record.served_by not in {"", usual}):
        return True
    return healthy is not None and record.latency > healthy + NOTICEABLE


def detect(during: Iterable[Record], fault: Window, usual: str) -> float | None:
    """Return when the stand-in answered for the first time."""
    answers = [record.answered for record in during if is_stand_in(record, usual) and record.answered >= fault.start]
    return min(answers, default=None)


def is_stand_in(record: Record, usual: str) -> bool:
    """Tell whether another server than the usual one gave the answer."""
    return record.is_ok and bool(usual) and record.served_by not in {"", usual}


def excess(during: Iterable[Record], detected: float | None, healthy: float | None) -> float | None:
    """Return the worst wait above the healthy median among the requests that began after detection."""
    if detected is None or healthy is None:
        return None
    waits = [record.latency for record in during if record.start >= detected and record.is_ok]
    return max(0.0, max(waits) - healthy) if waits else None


def stood_in(records: Iterable[Record], fault: Window, usual: str) -> float | None:
    """Return how long after the fault the stand-in gave its last answer."""
    answers = [record.answered for record in records if is_stand_in(record, usual) and record.answered >= fault.start]
    return max(answers) - fault.start if answers else None


def longest_gap(answers: Iterable[float], window: Window) -> float:
    """Return the longest time inside the window without an answer."""
    moments = [window.start, *sorted(a for a in answers if window.start <= a <= window.end), window.end]
    return max(later - earlier for earlier, later in pairwise(moments))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that this share of all values does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None
