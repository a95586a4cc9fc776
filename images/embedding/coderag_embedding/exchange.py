"""What the framework leaves open about an HTTP exchange: how long a body may be, and a caller who has gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from coderag_embedding.errors import ApiError

T = TypeVar("T")


class CallerGoneError(Exception):
    """Nobody waits for this answer any more."""


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body up to `limit` bytes; a longer one is refused before it is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413, "body_too_large", f"The body is longer than {limit} bytes.", "Send fewer or shorter texts at once."
    )


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, or stop it when the caller hangs up: after a timeout he sends it again anyway."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGoneError
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
