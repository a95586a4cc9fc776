"""A streamed answer of a model server: held back until its first token, judged to its end."""

from collections.abc import AsyncIterator

import httpx

from coderag_gateway.assemble import assemble
from coderag_gateway.clock import Clock
from coderag_gateway.progress import Progress

BROKEN = "the model's answer broke off"


class Answer(httpx.AsyncByteStream):
    """The body of a response; a body that stops before its end raises, whatever the connection says."""

    def __init__(self, response: httpx.Response, clock: Clock, keep: bool) -> None:
        """Take the response, unread; `keep` says that the pieces will be collected."""
        self.progress = Progress(keep)
        self._response, self._clock = response, clock
        self._source = response.aiter_raw()
        self._held: list[bytes] = []

    async def wait_for_token(self) -> None:
        """Read until the first token, an error or the end."""
        while not (self.progress.started or self.progress.error or self.progress.finished):
            piece = await self._clock.until_first(anext(self._source, None))
            if piece is None:
                self._check_end()
                return
            self._held.append(piece)
            self.progress.feed(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        for piece in self._held:
            yield piece
        while (piece := await self._clock.until_next(self._source)) is not None:
            self.progress.feed(piece)
            yield piece
        self._check_end()

    async def collect(self) -> httpx.Response:
        """Return the whole answer as one document."""
        async for _ in self:
            pass
        if self.progress.error or not self.progress.pieces:
            raise httpx.RemoteProtocolError(BROKEN)
        return httpx.Response(self._response.status_code, json=assemble(self.progress.pieces))

    def refuse(self) -> httpx.Response:
        """Return an error that came as the first piece of a stream with the status that it stands for."""
        error = self.progress.error or {}
        code = error.get("code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        return httpx.Response(status, json={"error": error})

    async def aclose(self) -> None:
        """Let go of the connection: the server sees it and stops."""
        await self._response.aclose()

    def _check_end(self) -> None:
        self.progress.end()
        if not self.progress.finished and not self.progress.error:
            raise httpx.RemoteProtocolError(BROKEN)
