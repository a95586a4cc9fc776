"""The deadlines of one call of a model: the first token, each pause after it, the whole answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import httpx

from coderag_gateway.options import Target

Result = TypeVar("Result")


class Clock:
    """Runs from the moment it is made; what takes too long ends in httpx.ReadTimeout."""

    def __init__(self, target: Target, request: httpx.Request, streaming: bool) -> None:
        """Take the limits; only a stream shows when its first token comes."""
        self._request, self._pause = request, target.first_token
        self.began = asyncio.get_running_loop().time()
        self._end = self.began + target.total
        self._first = self.began + target.first_token if streaming else self._end

    async def until_first(self, waiting: Awaitable[Result]) -> Result:
        """Wait as long as the first token may take."""
        return await self._wait(self._first, waiting)

    async def until_end(self, waiting: Awaitable[Result]) -> Result:
        """Wait as long as the whole answer may take."""
        return await self._wait(self._end, waiting)

    async def until_next(self, source: AsyncIterator[bytes]) -> bytes | None:
        """Return the next piece or None at the end; a pause may be as long as the first token may take."""
        pause = asyncio.get_running_loop().time() + self._pause
        return await self._wait(min(pause, self._end), anext(source, None))

    async def _wait(self, deadline: float, waiting: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        except TimeoutError as error:
            raise httpx.ReadTimeout("the model did not answer in time", request=self._request) from error
