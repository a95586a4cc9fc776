"""Where a prompt is sent: to the gateway, or to the model's own server while the gateway cannot be reached.

The gateway retries and falls back by itself, so nothing that it may have seen is sent twice: only a request that never
left is tried again. The direct way exists where this service holds a key of the model servers (`LLAMA_API_KEY`); it
knows no fallback but the Service behind the address.
"""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from coderag_rag.answer.generation import Generation
from coderag_rag.answer.llm import LlmClient
from coderag_rag.answer.window import Windows
from coderag_rag.query.effort import Effort, nothing_sent
from coderag_rag.query.guard import Breaker, DependencyDown

logger = logging.getLogger(__name__)


class ModelRoute:
    """Starts generations; `direct` names the servers that may be asked without the gateway, by model."""

    def __init__(self, gateway: LlmClient, breaker: Breaker, direct: Mapping[str, LlmClient]) -> None:
        self._gateway, self._breaker, self._direct = gateway, breaker, direct
        self._windows = Windows(direct)

    async def window(self, model: str) -> int | None:
        """Return how many tokens the server of a model takes for prompt and answer, None where that is not known."""
        return await self._windows.of(model)

    async def start(self, body: Mapping[str, Any], effort: Effort, stack: AsyncExitStack) -> Generation:
        """Return a generation that has begun and ends with the stack; raises DependencyDown or PromptTooLong."""
        direct = self._direct.get(body["model"])
        ask_gateway = partial(_enter, self._gateway, body, effort, stack)
        if direct is None:
            return await self._breaker.call(ask_gateway, partial(effort.retrying, nothing_sent))
        try:
            return await self._breaker.call(ask_gateway)
        except DependencyDown as error:
            if not error.nothing_sent:
                raise
            logger.warning("%s; asking the server of %s directly", error, direct.name)
        return await effort.retrying(nothing_sent)(partial(_enter, direct, body, effort, stack))


async def _enter(client: LlmClient, body: Mapping[str, Any], effort: Effort, stack: AsyncExitStack) -> Generation:
    return await stack.enter_async_context(client.generate(body, effort.deadline))
