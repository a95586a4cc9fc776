"""The last step before the network: keeps LiteLLM's calls inside their limits and judges what comes back.

LiteLLM answers its caller as soon as a server has sent a status line, and can fall back no more after that. So a
stream is passed on only when its first token is here: whatever goes wrong earlier is an error of the call, and LiteLLM
asks the other model. It is an httpx transport because that is the one place LiteLLM lets be replaced
(`litellm.aclient_session`) without changing its code.
"""

import httpx

from coderag_gateway.answer import Answer
from coderag_gateway.assemble import make_streaming
from coderag_gateway.clock import Clock
from coderag_gateway.options import Target
from coderag_gateway.progress import parse
from coderag_gateway.turns import Turns


class ModelTransport(httpx.AsyncBaseTransport):
    """Calls the models through a client of its own."""

    def __init__(self, client: httpx.AsyncClient, targets: tuple[Target, ...]) -> None:
        """Take LiteLLM's usual client (proxies, certificates) and the limits by address."""
        self._client = client
        self._targets = targets
        self._turns = Turns()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call."""
        target = next((target for target in self._targets if str(request.url).startswith(target.base)), None)
        if target is None:
            return await self._client.send(request, stream=True)
        body = await request.aread()
        document = parse(body)
        collected = make_streaming(request.url.path, document) if target.streamed else None
        clock = Clock(target, request, streaming=bool(document.get("stream") or collected))
        sent = build_request(request, collected or body, target.connect)
        try:
            return await self._answer(sent, clock, collect=bool(collected))
        except httpx.TransportError as error:
            await self._turns.take(clock.began)
            # Without what led to it: LiteLLM formats and searches the whole chain for secrets each time it falls back.
            raise type(error)(str(error), request=request) from None

    async def _answer(self, sent: httpx.Request, clock: Clock, *, collect: bool) -> httpx.Response:
        """Return an answer that has begun well; raises httpx.TransportError."""
        response = await clock.until_first(self._client.send(sent, stream=True))
        try:
            return await judge(response, clock, collect=collect)
        except BaseException:
            await response.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def build_request(request: httpx.Request, body: bytes, connect: float) -> httpx.Request:
    """Return the request with another body and its own time to connect."""
    headers = httpx.Headers(request.headers)
    for name in ("content-length", "transfer-encoding"):
        headers.pop(name, None)
    headers["accept-encoding"] = "identity"  # what is compressed cannot be judged as it passes
    # llama-server closes an idle connection after 5 s, and a request that meets that moment fails for no reason; a new
    # one costs less than a millisecond and never leads to a pod that has left its Service.
    headers["connection"] = "close"
    timeouts = {**request.extensions.get("timeout", {}), "connect": connect}
    extensions = {**request.extensions, "timeout": timeouts}
    return httpx.Request(request.method, request.url, headers=headers, content=body, extensions=extensions)


async def judge(response: httpx.Response, clock: Clock, collect: bool) -> httpx.Response:
    """Return what LiteLLM gets to see, or raise what went wrong."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        stream = httpx.ByteStream(await clock.until_end(read(response)))
        return httpx.Response(response.status_code, headers=response.headers, stream=stream)
    answer = Answer(response, clock, keep=collect)
    await answer.wait_for_token()
    if answer.progress.error:
        await answer.aclose()
        return answer.refuse()
    if collect:
        return await answer.collect()
    return httpx.Response(response.status_code, headers=response.headers, stream=answer)


async def read(response: httpx.Response) -> bytes:
    """Return the whole body as it came."""
    return b"".join([piece async for piece in response.aiter_raw()])
