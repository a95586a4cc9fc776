"""Settings from environment variables. Every problem is reported at once, by variable name; a key is never shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from coderag_embedding.cpu import cpu_limit
from coderag_embedding.manifest import Precision
from coderag_embedding.session import Device

# What each device is fast at: a GPU has no kernels for the int8 graph and would hand its parts back to the CPU.
PRECISION: dict[str, Precision] = {"cpu": "int8", "cuda": "fp32"}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(ValueError):
    """The environment cannot be used; the message names each variable and the remedy."""


@dataclass(frozen=True)
class Settings:
    """What the service was told."""

    model_name: str
    model_cache_dir: Path
    model_load: str
    fallback_name: str | None
    device: Device
    precision: Precision
    api_key: str | None = field(repr=False)
    host: str
    port: int
    threads: int
    queue_limit: int
    query_cache: int
    drain_seconds: int
    log_level: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment, or raise SettingsError."""
    reader = _Reader(environ)
    device = reader.choice("MODEL_DEVICE", "cpu", get_args(Device))
    settings = Settings(
        model_name=reader.text("MODEL_NAME", "all-MiniLM-L6-v2"),
        model_cache_dir=Path(reader.text("MODEL_CACHE_DIR", "/models")),
        model_load=reader.choice("MODEL_LOAD", "eager", ("eager", "lazy")),
        fallback_name=reader.text("MODEL_FALLBACK") or None,
        device=device,  # type: ignore[arg-type]
        precision=reader.choice("EMBEDDING_PRECISION", PRECISION[device], get_args(Precision)),  # type: ignore[arg-type]
        api_key=reader.key("EMBEDDING_API_KEY", "EMBEDDING_ALLOW_ANONYMOUS"),
        host=reader.text("LISTEN_HOST", "0.0.0.0"),  # noqa: S104  a pod is reached from outside itself
        port=reader.number("LISTEN_PORT", lambda: 8003, 0, 65535),
        threads=reader.number("EMBEDDING_THREADS", cpu_limit, 1, 256),
        queue_limit=reader.number("EMBEDDING_QUEUE_LIMIT", lambda: 1024, 256, 65536),
        query_cache=reader.number("EMBEDDING_QUERY_CACHE", lambda: 4096, 0, 1_000_000),
        drain_seconds=reader.number("EMBEDDING_DRAIN_SECONDS", lambda: 30, 0, 3600),
        log_level=reader.choice("LOG_LEVEL", "INFO", LEVELS),
    )
    if reader.problems:
        raise SettingsError("\n".join(reader.problems))
    return settings


class _Reader:
    """Reads single variables; an empty one counts as unset, a wrong one is remembered and read as its default."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, "").strip() or default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}: use {' or '.join(allowed)}")
            return default
        return value

    def number(self, name: str, default: Callable[[], int], low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            return default()
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            self.problems.append(f"{name} is {value!r}: use a whole number from {low} to {high}")
            return low
        return int(value)

    def key(self, name: str, anonymous: str) -> str | None:
        value = self.text(name)
        allowed = self.choice(anonymous, "false", ("true", "false"))
        if not value and allowed != "true":
            self.problems.append(
                f"{name} is not set: set it, or set {anonymous}=true to serve anyone (development only)"
            )
        return value or None
