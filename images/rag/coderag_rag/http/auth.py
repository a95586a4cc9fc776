"""Bearer keys, checked in front of every route but the open ones.

A middleware and not a per-route dependency: a route that somebody adds later is closed by default, and unknown paths
tell a stranger nothing.
"""

import hmac
from collections.abc import Collection, Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from coderag_rag.http.errors import ApiError, error_response

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/health", "/metrics"})


def key_matches(presented: str, keys: Iterable[bytes]) -> bool:
    """Compare with every key, always all of them, in constant time."""
    candidate = presented.encode()
    matches = [hmac.compare_digest(candidate, key) for key in keys]
    return any(matches)


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class BearerAuth:
    """ASGI middleware: `app.add_middleware(BearerAuth, keys=[...])`."""

    def __init__(self, app: ASGIApp, keys: Collection[str], open_paths: Collection[str] = OPEN_PATHS) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one key is needed and none may be empty")
        self._app, self._open = app, frozenset(open_paths)
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._open:
            token = _bearer(Request(scope).headers.get("authorization", ""))
            if not token or not key_matches(token, self._keys):
                await error_response(_refusal(bool(token)))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _refusal(presented: bool) -> ApiError:
    message = "this key is not known" if presented else "a key is needed"
    return ApiError(401, message, code="invalid_api_key", hint="send Authorization: Bearer <key>")
