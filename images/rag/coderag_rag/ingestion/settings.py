"""The worker's settings: environment and the file with the repositories. Errors name the field and the remedy."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.ingestion.repositories import Config, parse_config
from coderag_rag.settings import EmbeddingSettings, QdrantSettings


@dataclass(frozen=True)
class Settings:
    """Everything the worker is told."""

    config: Config
    work_dir: Path
    api_key: str
    port: int
    allow_file: bool
    git_timeout: float
    file_deadline: float
    embedding_batch: int
    cache_megabytes: int
    keep_replaced_hours: float
    owner: str
    log_level: str
    qdrant: QdrantSettings
    embedding: EmbeddingSettings

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the environment and the configuration file."""
        allow_file = env.flag("INGESTION_ALLOW_FILE")
        return cls(
            config=parse_config(_config_text(env), allow_file),
            work_dir=Path(env.text("WORK_DIR", "/data")),
            api_key=env.text("INGESTION_API_KEY"),
            port=env.integer("LISTEN_PORT", 8005, minimum=1),
            allow_file=allow_file,
            git_timeout=env.number("GIT_TIMEOUT", 600, minimum=1),
            file_deadline=env.number("INGESTION_FILE_DEADLINE", 20, minimum=0.1),
            embedding_batch=env.integer("EMBEDDING_BATCH", 32, minimum=1),
            cache_megabytes=env.integer("EMBEDDING_CACHE_MB", 512),
            # Never at once: requests that began over it still read it, and search pods learn of the next one later.
            keep_replaced_hours=env.number("INGESTION_KEEP_REPLACED_HOURS", 24, minimum=0.1),
            owner=env.text("POD_NAME", env.text("HOSTNAME", socket.gethostname())),
            log_level=env.text("LOG_LEVEL", "INFO"),
            qdrant=QdrantSettings.read(env),
            embedding=EmbeddingSettings.read(env),
        )


def _config_text(env: Environment) -> str:
    path = Path(env.text("INGESTION_CONFIG", "/etc/coderag/ingestion.json"))
    try:
        return path.read_text()
    except OSError as error:
        raise InvalidSetting("INGESTION_CONFIG", f"cannot be read ({error.strerror})", "mount the file") from None
