"""The context of the model that answers now, as its own server tells it.

Asked seldom and briefly: the plan of a server changes with its pod, and a question must not wait for a number that has
a configured stand-in. A prompt that was cut for a stale number is refused by the server and sent again with less.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from coderag_rag.answer.llm import LlmClient
from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown

FRESH_SECONDS = 60.0
_PATIENCE = 1.0


@dataclass(frozen=True)
class _Known:
    tokens: int | None
    until: float


class Windows:
    """Remembers what each server said, by model."""

    def __init__(self, servers: Mapping[str, LlmClient]) -> None:
        self._servers = servers
        self._known: dict[str, _Known] = {}

    async def of(self, model: str) -> int | None:
        """Return the tokens that a prompt and its answer may have together, None where nobody tells."""
        server, known = self._servers.get(model), self._known.get(model, _Known(None, 0.0))
        now = asyncio.get_running_loop().time()
        if server is None or now < known.until:
            return known.tokens
        # Who comes while this one asks takes the last number, and so does who comes after a failure.
        self._known[model] = _Known(known.tokens, now + FRESH_SECONDS)
        try:
            tokens = await server.context_tokens(Deadline.after(_PATIENCE))
        except DependencyDown:
            return known.tokens
        self._known[model] = _Known(tokens, now + FRESH_SECONDS)
        return tokens
