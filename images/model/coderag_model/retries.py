"""How often, and after how long, a transfer is tried again."""

from typing import Any

from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.logs import say

ATTEMPTS = 6  # in a row without a single new byte
BASE_WAIT, LONGEST_WAIT = 1.0, 30.0


class Retries:
    """Counts failures in a row."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._failures = 0

    def failed(self, error: FetchError, *, progress: bool, **fields: Any) -> None:
        """Wait before the next try; raises the error if it stays or if that were one try too many."""
        self._failures = 1 if progress else self._failures + 1
        if not error.transient or self._failures >= ATTEMPTS:
            raise error
        wait = max(error.retry_after, min(BASE_WAIT * 2 ** (self._failures - 1), LONGEST_WAIT))
        say("trying again", reason=error.reason, detail=str(error), seconds=wait, **fields)
        self._deadline.wait(wait)
