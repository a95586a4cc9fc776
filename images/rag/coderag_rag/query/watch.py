"""Watches a dependency from the background: asks every few seconds, remembers the answer, moves the breaker.

/health and readiness read what is remembered here, so a monitor that asks often puts no load on the dependencies.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from coderag_rag.query.guard import Breaker, DependencyDown

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DependencyState:
    """What the last look at a dependency told."""

    ok: bool
    latency_ms: float | None
    detail: str


class Watch:
    """Asks one dependency again and again; `check` raises when it is not usable."""

    def __init__(
        self,
        name: str,
        check: Callable[[], Awaitable[object]],
        *,
        interval: float,
        deadline: float,
        breaker: Breaker | None = None,
        on_success: Callable[[], None] = lambda: None,
        on_failure: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        self.name, self._check = name, check
        self._on_success, self._on_failure = on_success, on_failure
        self._interval, self._deadline = interval, deadline
        self._breaker = breaker or Breaker(name)
        self.state = DependencyState(False, None, "not contacted yet")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Look once and remember."""
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline):
                await self._check()
        except DependencyDown as error:
            self._down(error.detail)
        except TimeoutError:
            self._down("no answer in time")
        except Exception as error:  # it answered something unexpected: say so, but calls may still work
            logger.exception("the look at %s failed", self.name)
            self.state = DependencyState(False, None, f"unexpected {type(error).__name__}, see the log")
            self._on_failure(self.state.detail)
        else:
            self._up(round((time.monotonic() - begin) * 1000, 1))

    def _down(self, detail: str) -> None:
        if self.state.ok or self.state.detail != detail:
            logger.warning("%s is down: %s", self.name, detail)
        self._breaker.trip(detail)
        self._on_failure(detail)
        self.state = DependencyState(False, None, detail)

    def _up(self, latency_ms: float) -> None:
        if not self.state.ok:
            logger.info("%s answers", self.name)
        self._breaker.succeeded()
        self.state = DependencyState(True, latency_ms, "answers")
        self._on_success()
