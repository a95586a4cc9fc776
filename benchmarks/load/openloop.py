"""Send requests when they are due, each on a path of its own, and count the time from when it was due.

Free of any network and of any clock, so that the property can be proven: nothing here looks at an answer before it
starts the next request, and a request that was started late is charged for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What came of a request: the HTTP status or 0, what went wrong, and the Retry-After that came with it."""

    status: int
    error: str = ""
    retry_after: str = ""


@dataclass(frozen=True)
class Record:
    """One request; `due`, `sent` and `done` are seconds from the start of the run."""

    number: int
    due: float
    sent: float
    done: float
    outcome: Outcome

    @property
    def latency(self) -> float:
        """Seconds from the moment when the request was due, and not from when it was sent."""
        return self.done - self.due

    @property
    def lateness(self) -> float:
        """Seconds by which the generator was late; part of the latency."""
        return self.sent - self.due


@dataclass(frozen=True)
class OpenLoop:
    """Where time and concurrency come from. `now` counts seconds, `spawn` starts a call and returns at once."""

    now: Callable[[], float]
    sleep: Callable[[float], None]
    spawn: Callable[[Callable[[], None]], object]

    def run(self, dues: Iterable[float], send: Callable[[int], Outcome], keep: Callable[[Record], None]) -> None:
        """Start every request at its moment and return after the last start; answers arrive later."""
        begin = self.now()
        for number, due in enumerate(dues):
            wait = due - (self.now() - begin)
            if wait > 0:
                self.sleep(wait)
            self.spawn(lambda number=number, due=due: keep(self._exchange(begin, number, due, send)))  # type: ignore[misc]

    def _exchange(self, begin: float, number: int, due: float, send: Callable[[int], Outcome]) -> Record:
        sent = self.now() - begin
        outcome = send(number)
        return Record(number, due, sent, self.now() - begin, outcome)
