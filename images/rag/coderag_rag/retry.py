"""The retry schedule for dependencies: a few tries with exponential waits, for failures that can pass by themselves."""

from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential


@dataclass(frozen=True)
class RetryPolicy:
    """How often to try and how long to wait in between."""

    tries: int = 3
    min_wait: float = 2.0
    max_wait: float = 10.0

    def retrying(self, *transient: type[Exception]) -> AsyncRetrying:
        """Return the retry loop for these exceptions; the last one is raised as it is."""
        return AsyncRetrying(
            stop=stop_after_attempt(self.tries),
            wait=wait_exponential(multiplier=self.min_wait, min=self.min_wait, max=self.max_wait),
            retry=retry_if_exception_type(transient),
            reraise=True,
        )
