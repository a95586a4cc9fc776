"""What the gateway reads from its environment, checked before LiteLLM is imported so that a mistake is told at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KEYS = ("LITELLM_MASTER_KEY", "API_KEY", "RAG_GATEWAY_KEY")
MIN_KEY = 16


class ConfigurationError(Exception):
    """The gateway cannot start; the message names the variable or the field and the remedy."""


@dataclass(frozen=True)
class Settings:
    """The gateway's own settings."""

    master_key: str
    user_key: str
    rag_key: str
    config: Path
    port: int
    host: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings, or raise ConfigurationError for the first one that is wrong."""
    keys = [read_key(environment, name) for name in KEYS]
    if len(set(keys)) < len(keys):
        raise ConfigurationError(
            f"{', '.join(KEYS)} must differ from one another: who presents a key decides its rights"
        )
    path = Path(environment.get("CODERAG_CONFIG") or "/etc/coderag/config.yaml")
    return Settings(*keys, path, read_port(environment), environment.get("LISTEN_HOST") or "0.0.0.0")  # noqa: S104


def read_key(environment: Mapping[str, str], name: str) -> str:
    """Return one key."""
    value = environment.get(name, "")
    if len(value) < MIN_KEY:
        problem = "is not set" if not value else f"is shorter than {MIN_KEY} characters"
        raise ConfigurationError(f"{name} {problem}: give it a random value from the stack's keys Secret")
    return value


def read_port(environment: Mapping[str, str]) -> int:
    """Return the port to listen on; 0 takes a free one."""
    text = environment.get("LISTEN_PORT") or "8000"
    if not text.isdecimal() or int(text) > 65535:
        raise ConfigurationError(f"LISTEN_PORT is {text!r}: give a number from 0 to 65535")
    return int(text)
