"""Who may spend compute here: whoever presents the key."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request

from coderag_embedding.errors import ApiError


def key_check(key: str | None) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that refuses requests without `key`; without a key everyone may pass."""
    expected = None if key is None else _digest(key)

    async def check(request: Request) -> None:  # async, or FastAPI would run it in a thread
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = expected is None or hmac.compare_digest(_digest(given.strip()), expected)
        if expected is not None and not (right and scheme.lower() == "bearer"):
            raise ApiError(
                401, "invalid_api_key", "No key, or a wrong one.", "Send Authorization: Bearer <embedding-api-key>."
            )

    return check


def _digest(key: str) -> bytes:
    """Equal lengths, so that comparing takes the same time whatever was sent."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
