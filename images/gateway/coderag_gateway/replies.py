"""Passes a response through untouched as it streams, or holds back an error to see whether to reword it."""

import json
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

from coderag_gateway.errors import interrupted
from coderag_gateway.outcome import NOTHING, read_retry_after, translate, unwrap

ERROR_EVENT = b'data: {"error"'


class Reply:
    """An ASGI `send` that streams good answers and rewrites bad ones, and knows afterwards what it sent."""

    def __init__(self, send: Send, dropped: Iterable[str] = (), closing: bool = False) -> None:
        """Wrap the real `send`; `dropped` are the body fields to report, `closing` ends the connection after it."""
        self._send = send
        self._dropped = ",".join(dropped)
        self._closing = closing
        self._held: Message | None = None
        self._body = b""
        self.status = 0
        self.served_by = "none"
        self.fallback = self.interrupted = False

    async def __call__(self, message: Message) -> None:
        """Take one message from LiteLLM."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._held is None:
            await self._send(self._check(message))
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._held)

    async def _begin(self, message: Message) -> None:
        own = MutableHeaders(scope=message)
        if self._dropped:
            # a name may hold anything; a header may not
            own["x-coderag-dropped-params"] = ascii(self._dropped)[1:-1][:1000]
        if self._closing:
            own["connection"] = "close"
        headers = Headers(scope=message)
        if message["status"] >= 400 or headers.get("content-length") == str(len(NOTHING)):
            self._held = message
        else:
            self.served_by = headers.get("x-litellm-model-id", "none")
            self.fallback = headers.get("x-litellm-attempted-fallbacks", "0") != "0"
            await self._start(message)

    async def _start(self, message: Message) -> None:
        self.status = message["status"]
        await self._send(message)

    def _check(self, message: Message) -> Message:
        # LiteLLM names addresses and classes in the error of a stream that breaks off; the caller can use neither.
        if not message.get("body", b"").startswith(ERROR_EVENT):
            return message
        self.interrupted = True
        return {**message, "body": b"data: " + json.dumps(interrupted()).encode() + b"\n\n"}

    async def _finish(self, start: Message) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        found = translate(start["status"], headers, self._body)
        if found is not None:
            status, document, extra = found
            self._body = json.dumps(document).encode()
            start = {**start, "status": status}
            headers.update({**extra, "content-type": "application/json"})
        else:
            self._body = unwrap(self._body)
            if start["status"] == 429:
                headers["retry-after"] = str(read_retry_after(headers))
        headers["content-length"] = str(len(self._body))
        start["headers"] = headers.raw
        await self._start(start)
        await self._send({"type": "http.response.body", "body": self._body})
