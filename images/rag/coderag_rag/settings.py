"""How to reach Qdrant and the embedding service: the part of the settings that both services read."""

from dataclasses import dataclass
from typing import Self

from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.retry import RetryPolicy


@dataclass(frozen=True)
class QdrantSettings:
    """Address, key, timeout and the retry schedule of Qdrant."""

    url: str
    api_key: str | None
    timeout: float
    max_retries: int
    retry_min_wait: float
    retry_max_wait: float

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the QDRANT_* variables."""
        shortest, longest = env.number("QDRANT_RETRY_MIN_WAIT", 2), env.number("QDRANT_RETRY_MAX_WAIT", 10)
        if shortest > longest:
            raise InvalidSetting("QDRANT_RETRY_MAX_WAIT", "is below QDRANT_RETRY_MIN_WAIT", "swap the two")
        return cls(
            url=env.url("QDRANT_URL"),
            api_key=env.text("QDRANT_API_KEY", "") or None,
            timeout=env.number("QDRANT_TIMEOUT", 30, minimum=0.1),
            max_retries=env.integer("QDRANT_MAX_RETRIES", 3, minimum=1),
            retry_min_wait=shortest,
            retry_max_wait=longest,
        )

    @property
    def schedule(self) -> RetryPolicy:
        """The retry schedule. It holds for every dependency of an ask and of a sync, not for Qdrant alone."""
        return RetryPolicy(self.max_retries, self.retry_min_wait, self.retry_max_wait)


@dataclass(frozen=True)
class EmbeddingSettings:
    """Address, key and timeout of the embedding service, and of the former one while an index is rebuilt."""

    url: str
    api_key: str | None
    timeout: float
    previous_url: str = ""

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the EMBEDDING_* variables."""
        return cls(
            url=env.url("EMBEDDING_URL"),
            api_key=env.text("EMBEDDING_API_KEY", "") or None,
            timeout=env.number("EMBEDDING_TIMEOUT", 30, minimum=0.1),
            previous_url=env.url("EMBEDDING_PREVIOUS_URL", ""),
        )
