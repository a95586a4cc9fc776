"""How much work fits between two looks at the query lane, learnt while working.

A thread that computes cannot be interrupted, so the size of a bulk batch is how long a search may have to wait for it.
Cost is counted in tokens, estimated from a text's bytes before it is tokenised: only proportions matter, because the
speed is learnt in the same unit. When searches slow a bulk thread down, its batches become shorter by themselves.
"""

BATCH_SECONDS = 0.05
FIRST_GUESS = 1e-4  # seconds per token until some have been measured: MiniLM int8 on one slow core
BYTES_PER_TOKEN = 3
FRAME = 2  # the tokens that mark a text's beginning and end
WEIGHT = 0.1  # of the newest measurement


def estimate_tokens(text: str, most: int) -> int:
    """Return about how many tokens a text has, at most `most`."""
    return min(most, FRAME + len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


class Pace:
    """Seconds per token, and what follows from it. `batch_tokens` given: a GPU, whose batches have a fixed size."""

    def __init__(self, batch_tokens: int | None = None) -> None:
        self._fixed = batch_tokens
        self._seconds_per_token = FIRST_GUESS

    @property
    def batch_tokens(self) -> int:
        """Return how many tokens one bulk batch may have."""
        return self._fixed or max(1, int(BATCH_SECONDS / self._seconds_per_token))

    def learn(self, tokens: int, seconds: float) -> None:
        """Take in how long a batch took."""
        self._seconds_per_token += WEIGHT * (seconds / tokens - self._seconds_per_token)

    def seconds(self, tokens: int) -> float:
        """Return how long one thread needs for so many tokens."""
        return tokens * self._seconds_per_token
