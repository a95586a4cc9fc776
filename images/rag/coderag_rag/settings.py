"""How to reach Qdrant and the embedding service: the part of the settings that both services read."""

from dataclasses import dataclass
from typing import Self

from coderag_rag.env import Environment


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
        return cls(
            url=env.url("QDRANT_URL"),
            api_key=env.text("QDRANT_API_KEY", "") or None,
            timeout=env.number("QDRANT_TIMEOUT", 30, minimum=0.1),
            max_retries=env.integer("QDRANT_MAX_RETRIES", 3, minimum=1),
            retry_min_wait=env.number("QDRANT_RETRY_MIN_WAIT", 2),
            retry_max_wait=env.number("QDRANT_RETRY_MAX_WAIT", 10),
        )


@dataclass(frozen=True)
class EmbeddingSettings:
    """Address, key and timeout of the embedding service."""

    url: str
    api_key: str | None
    timeout: float

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the EMBEDDING_* variables."""
        return cls(
            url=env.url("EMBEDDING_URL"),
            api_key=env.text("EMBEDDING_API_KEY", "") or None,
            timeout=env.number("EMBEDDING_TIMEOUT", 30, minimum=0.1),
        )
