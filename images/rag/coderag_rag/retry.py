"""The retry schedule for dependencies: a few tries with exponential waits, for failures that can pass by themselves.

A wait that would end after the caller's deadline is not begun: an error now is worth more than the same error later.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    before_sleep_log,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from coderag_rag.deadline import Deadline

logger = logging.getLogger(__name__)


def _always(_error: Any) -> bool:
    return True


@dataclass(frozen=True)
class RetryPolicy:
    """How often to try and how long to wait in between."""

    tries: int = 3
    min_wait: float = 2.0
    max_wait: float = 10.0

    def retrying(
        self, *transient: type[Exception], only: Callable[[Any], bool] = _always, deadline: Deadline | None = None
    ) -> AsyncRetrying:
        """Return the retry loop for those of these exceptions that `only` accepts; the last one is raised as it is."""

        def too_late(state: RetryCallState) -> bool:
            return deadline is not None and not deadline.allows(state.upcoming_sleep)

        return AsyncRetrying(
            stop=stop_after_attempt(self.tries) | too_late,
            wait=wait_exponential(multiplier=self.min_wait, min=self.min_wait, max=self.max_wait),
            retry=retry_if_exception_type(transient) & retry_if_exception(only),
            before_sleep=before_sleep_log(logger, logging.INFO),
            reraise=True,
        )


# A kept-alive connection may be stale: worth another try at once, for callers without time to wait.
AT_ONCE = RetryPolicy(tries=2, min_wait=0.0, max_wait=0.0)
