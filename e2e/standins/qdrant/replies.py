"""Qdrant's envelope around results and errors."""

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from e2e.standins.qdrant.errors import QdrantError


def enveloped(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what a handler returns, JSON or its bytes, as `{"result", "status": "ok", "time"}`."""

    @functools.wraps(handler)
    def timed(*arguments: Any, **named: Any) -> Response:
        started = time.perf_counter()
        return envelope(handler(*arguments, **named), started)

    @functools.wraps(handler)
    async def timed_async(*arguments: Any, **named: Any) -> Response:
        started = time.perf_counter()
        return envelope(await handler(*arguments, **named), started)

    return timed_async if inspect.iscoroutinefunction(handler) else timed


def envelope(result: Any, started: float) -> Response:
    """Return the answer with a result, JSON or its bytes."""
    written = result if isinstance(result, bytes) else to_json(result)
    body = b'{"result":%b,"status":"ok","time":%.9f}' % (written, time.perf_counter() - started)
    return Response(body, media_type="application/json")


def error_reply(status: int, message: str) -> Response:
    """Return an error as Qdrant words it."""
    return JSONResponse({"status": {"error": message}, "time": 0.0}, status)


def describe_invalid(error: RequestValidationError) -> str:
    """Name the first field that is wrong; the list for a union of shapes would fill a page."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"Format error in JSON body: {where}: {first['msg']}"


async def on_qdrant_error(_: Request, error: Exception) -> Response:
    """Answer an error of the engine or the catalog."""
    assert isinstance(error, QdrantError)
    return error_reply(error.status, error.message)


async def on_invalid(_: Request, error: Exception) -> Response:
    """Answer a body that is not of Qdrant's shape."""
    assert isinstance(error, RequestValidationError)
    return error_reply(400, describe_invalid(error))


async def on_http(_: Request, error: Exception) -> Response:
    """Answer an unknown route or method."""
    assert isinstance(error, HTTPException)
    return error_reply(error.status_code, str(error.detail))


def install(app: FastAPI) -> None:
    """Make the application answer every error in Qdrant's shape."""
    app.add_exception_handler(QdrantError, on_qdrant_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
