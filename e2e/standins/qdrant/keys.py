"""API keys as Qdrant has them: a full key, a read-only key, and a few routes that need neither."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = frozenset({"/", "/healthz", "/readyz", "/livez"})
READS = re.compile(
    r"/collections/[^/]+/(points|facet|points/(scroll|count|search|query|discover|recommend)(/.*)?|points/search/matrix/.*)"
)
MISSING = "Must provide an API key or an Authorization bearer token"
INVALID = "Invalid API key or JWT"


@dataclass(frozen=True)
class Keys:
    """The configured keys; with neither of them every route is open, as on a real server."""

    full: str | None = None
    read_only: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Keys":
        """Read the real server's variables."""
        full = environment.get("QDRANT__SERVICE__API_KEY")
        read_only = environment.get("QDRANT__SERVICE__READ_ONLY_API_KEY")
        return cls(full or None, read_only or None)

    def refuse(self, method: str, path: str, headers: Headers) -> Response | None:
        """Return the refusal of a request, or None where it may pass."""
        if path in OPEN or (self.full is None and self.read_only is None):
            return None
        given = read_key(headers)
        if given is None:
            return PlainTextResponse(MISSING, 401)
        if same(given, self.full):
            return None
        if not same(given, self.read_only):
            return PlainTextResponse(INVALID, 401)
        return None if is_read(method, path) else forbid(path)


def read_key(headers: Headers) -> str | None:
    """Return the key of a request, from either header that Qdrant reads."""
    if "api-key" in headers:
        return headers["api-key"]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def same(given: str, key: str | None) -> bool:
    """Compare in constant time."""
    return key is not None and hmac.compare_digest(given.encode(), key.encode())


def is_read(method: str, path: str) -> bool:
    """Tell whether a request changes nothing; some reads are POST, because they carry a body."""
    return method in {"GET", "HEAD"} or (method == "POST" and READS.fullmatch(path) is not None)


def forbid(path: str) -> Response:
    """Return the refusal of a write with the read-only key."""
    needed = "write" if "/points" in path or "/index" in path else "manage"
    error: dict[str, Any] = {"status": {"error": f"Forbidden: Global {needed} access is required"}, "time": 0.0}
    return JSONResponse(error, 403)


class KeyMiddleware:
    """Stands in front of every route, so that a new one cannot forget the key."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """Wrap an application."""
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        refusal = None
        if scope["type"] == "http":
            refusal = self._keys.refuse(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)
