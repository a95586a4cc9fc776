"""Who holds which key and what the key is for. Pure, and free of LiteLLM."""

import hmac
from dataclasses import dataclass

from coderag_gateway.settings import Settings

USER_MODELS = ("chat", "code", "chat-7b", "code-7b", "coderag", "embedding")
RAG_MODELS = ("chat", "code")  # never `coderag`: rag would call itself


@dataclass(frozen=True)
class Caller:
    """One holder of a key; `models` is None for the master key, which may do everything."""

    name: str
    models: tuple[str, ...] | None


MASTER = Caller("master", None)
USER = Caller("user", USER_MODELS)
RAG = Caller("rag", RAG_MODELS)


class Callers:
    """Finds the caller of a key."""

    def __init__(self, settings: Settings) -> None:
        """Take the keys from the settings."""
        pairs = ((settings.master_key, MASTER), (settings.user_key, USER), (settings.rag_key, RAG))
        self._keys = tuple((key.encode(), caller) for key, caller in pairs)

    def find(self, key: str) -> Caller | None:
        """Return whose key it is; compares with every key, each in constant time."""
        given = key.encode()
        matching = [caller for known, caller in self._keys if hmac.compare_digest(given, known)]
        return matching[0] if matching else None


def read_bearer(header: str) -> str | None:
    """Return the key of an Authorization header."""
    scheme, _, key = header.partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
