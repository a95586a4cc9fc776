"""One request as its sender saw it. The load writes these as JSON lines, the accounting reads them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended; every request has exactly one."""

    OK = "ok"
    REFUSED = "refused"  # no connection, or it ended before a byte of the answer
    FAILED = "failed"  # an error status, an error event before the first token, an answer that is none
    TIMED_OUT = "timed out"  # the sender's own patience ended
    CUT = "cut"  # a stream that had begun and did not reach its end


@dataclass(frozen=True)
class Record:
    """What happened to one request; times are seconds since the epoch, so that faults can be laid beside them."""

    number: int
    target: str
    stream: bool
    start: float
    first: float | None
    end: float
    outcome: Outcome
    status: int = 0
    served_by: str = ""
    detail: str = ""

    @property
    def is_ok(self) -> bool:
        """Tell whether the sender got a whole answer."""
        return self.outcome is Outcome.OK

    @property
    def answered(self) -> float:
        """Return when the sender had something in hand: the first token of a stream, else the end."""
        return self.first if self.stream and self.first is not None else self.end

    @property
    def latency(self) -> float:
        """Return how long the sender waited for that."""
        return self.answered - self.start


def to_line(record: Record) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(asdict(record))


def read_lines(lines: Iterable[str]) -> Iterator[Record]:
    """Yield the records of a file; its last line may still be in the writing."""
    for line in lines:
        if line.endswith("\n") and line.strip():
            fields = json.loads(line)
            yield Record(**{**fields, "outcome": Outcome(fields["outcome"])})
