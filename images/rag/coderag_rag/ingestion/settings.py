"""The worker's settings: environment and the file with the repositories. Errors name the field and the remedy."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from croniter import croniter

from coderag_rag.env import Environment, InvalidSetting
from coderag_rag.settings import EmbeddingSettings, QdrantSettings

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^:]+")
_SCHEMES = frozenset({"https", "http", "ssh"})


@dataclass(frozen=True)
class RepositoryConfig:
    """One repository to index."""

    name: str
    url: str
    ref: str
    schedule: str
    credentials: Path | None


def _text(row: dict[str, Any], field: str, where: str, remedy: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip() or value != value.strip() or "\n" in value:
        raise InvalidSetting(f"{where}.{field}", "is missing or not a plain text", remedy)
    return value


def _url(row: dict[str, Any], where: str, allow_file: bool) -> str:
    url = _text(row, "url", where, "give the address of a Git repository")
    if url.startswith("-"):
        raise InvalidSetting(f"{where}.url", "begins with a dash", "give the address of a Git repository")
    if _SCP_LIKE.fullmatch(url):
        return url
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES | ({"file"} if allow_file else set()):
        raise InvalidSetting(f"{where}.url", "has a protocol that is not allowed", "use https, http or ssh")
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise InvalidSetting(f"{where}.url", "holds credentials", "put them into a Secret and name its folder")
    return url


def _schedule(row: dict[str, Any], where: str) -> str:
    schedule = _text(row, "schedule", where, 'use a cron expression like "*/15 * * * *"')
    if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
        raise InvalidSetting(f"{where}.schedule", "is not a cron expression", 'use five fields like "*/15 * * * *"')
    return schedule


def _ref(row: dict[str, Any], where: str) -> str:
    ref = _text(row, "ref", where, "give a branch, a tag or a commit")
    if ref.startswith("-") or re.search(r"[\s~^:?*\[\\]|\.\.|@\{", ref):
        raise InvalidSetting(f"{where}.ref", "is not a valid Git ref", "give a branch, a tag or a commit")
    return ref


def _repository(row: Any, where: str, allow_file: bool) -> RepositoryConfig:
    if not isinstance(row, dict):
        raise InvalidSetting(where, "is not an object", "give name, url, ref and schedule")
    name = _text(row, "name", where, "give the repository a name")
    if not _NAME.fullmatch(name):
        raise InvalidSetting(f"{where}.name", "has other characters", "use letters, digits, dots and dashes")
    credentials = row.get("credentialsDir")
    if credentials is not None and not (isinstance(credentials, str) and Path(credentials).is_dir()):
        raise InvalidSetting(f"{where}.credentialsDir", "is not a folder", "mount the Secret or leave it out")
    return RepositoryConfig(
        name, _url(row, where, allow_file), _ref(row, where), _schedule(row, where), credentials and Path(credentials)
    )


def parse_config(text: str, allow_file: bool = False) -> tuple[RepositoryConfig, ...]:
    """Return the repositories of the configuration file."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidSetting(
            "INGESTION_CONFIG", f"is not JSON ({error})", "write an object with repositories"
        ) from None
    rows = body.get("repositories") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise InvalidSetting("repositories", "is missing or not a list", "write a list, empty if there is none")
    found = tuple(_repository(row, f"repositories[{n}]", allow_file) for n, row in enumerate(rows))
    names = [repository.name for repository in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidSetting("repositories", f"has the name {twice!r} twice", "give every repository its own name")
    return found


@dataclass(frozen=True)
class Settings:
    """Everything the worker is told."""

    repositories: tuple[RepositoryConfig, ...]
    work_dir: Path
    api_key: str
    port: int
    allow_file: bool
    git_timeout: float
    file_deadline: float
    embedding_batch: int
    log_level: str
    qdrant: QdrantSettings
    embedding: EmbeddingSettings

    @classmethod
    def read(cls, env: Environment) -> Self:
        """Read the environment and the configuration file."""
        allow_file = env.flag("INGESTION_ALLOW_FILE")
        return cls(
            repositories=parse_config(_config_text(env), allow_file),
            work_dir=Path(env.text("WORK_DIR", "/data")),
            api_key=env.text("INGESTION_API_KEY"),
            port=env.integer("LISTEN_PORT", 8005, minimum=1),
            allow_file=allow_file,
            git_timeout=env.number("GIT_TIMEOUT", 600, minimum=1),
            file_deadline=env.number("INGESTION_FILE_DEADLINE", 20, minimum=0.1),
            embedding_batch=env.integer("EMBEDDING_BATCH", 32, minimum=1),
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
