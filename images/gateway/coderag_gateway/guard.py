"""The door in front of the whole of LiteLLM: key, route, model, in that order.

It is ASGI middleware, not a dependency of routes, so that a route which LiteLLM adds tomorrow is closed too.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coderag_gateway import errors
from coderag_gateway.callers import USER_MODELS, Caller, Callers, read_bearer
from coderag_gateway.drain import Drain
from coderag_gateway.metrics import Metrics
from coderag_gateway.replies import Reply
from coderag_gateway.requests import (
    LIST_ROUTES,
    METRICS_ROUTE,
    MODEL_ROUTES,
    OPEN_ROUTES,
    READY_ROUTE,
    BadRequestError,
    ModelRequest,
    parse_request,
)

MAX_BODY = 16 * 1024 * 1024
# LiteLLM takes timeouts, tags and more from headers of its own; a compressed error could not be reworded.
REMOVED_HEADERS = (b"x-litellm-", b"accept-encoding")


class Guard:
    """Answers what may not pass, cleans what may, and hands it to the application."""

    def __init__(self, app: ASGIApp, callers: Callers, drain: Drain) -> None:
        """Wrap an application."""
        self._app = app
        self._callers = callers
        self._drain = drain
        self._metrics = Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in (*OPEN_ROUTES, METRICS_ROUTE) and scope["method"] in ("GET", "HEAD"):
            await self._serve_open(scope, receive, send)
            return
        key = read_bearer(Headers(scope=scope).get("authorization", ""))
        caller = self._callers.find(key) if key else None
        if caller is None:
            await errors.unauthorized()(scope, receive, send)
        elif caller.models is None:
            await self._app(scope, receive, send)
        else:
            await self._serve_user(caller, caller.models, scope, receive, send)

    async def _serve_open(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == METRICS_ROUTE:
            await self._metrics.render()(scope, receive, send)
        elif scope["path"] == READY_ROUTE and self._drain.active:
            await errors.draining()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_user(
        self, caller: Caller, models: tuple[str, ...], scope: Scope, receive: Receive, send: Send
    ) -> None:
        route = (scope["method"], scope["path"])
        if route[0] == "GET" and route[1] in LIST_ROUTES:
            await self._app(clean_scope(scope, None), receive, Reply(send))
        elif route[0] == "POST" and route[1] in MODEL_ROUTES:
            await self._serve_model(models, scope, receive, send)
        else:
            await errors.forbidden_route(*route)(scope, receive, send)

    async def _serve_model(self, models: tuple[str, ...], scope: Scope, receive: Receive, send: Send) -> None:
        found = await read_request(models, scope["path"], receive)
        if isinstance(found, Response):
            await found(scope, receive, send)
        else:
            reply = Reply(send, found.dropped, closing=self._drain.active)
            with self._metrics.measure(found.model, reply):
                await self._app(clean_scope(scope, found.body), replay(found.body, receive), reply)


async def read_request(models: tuple[str, ...], path: str, receive: Receive) -> ModelRequest | Response:
    """Return the request for a model, or the refusal."""
    raw = await read_body(receive)
    if raw is None:
        return errors.too_large(MAX_BODY)
    try:
        request = parse_request(raw, path)
    except BadRequestError as error:
        return errors.bad_request(error.message, error.hint, error.param)
    if request.model in models:
        return request
    refuse = errors.forbidden_model if request.model in USER_MODELS else errors.unknown_model
    return refuse(request.model, models)


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once and then what really comes, such as a disconnect."""
    waiting = [body]

    async def give() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return give


def clean_scope(scope: Scope, body: bytes | None) -> Scope:
    """Return the scope without LiteLLM's control headers and query, and with headers that fit the new body."""
    kept = [(name, value) for name, value in scope["headers"] if not name.startswith(REMOVED_HEADERS)]
    headers = MutableHeaders(raw=kept)
    if body is not None:
        headers.update({"content-type": "application/json", "content-length": str(len(body))})
        del headers["transfer-encoding"]
    return {**scope, "headers": headers.raw, "query_string": b""}
