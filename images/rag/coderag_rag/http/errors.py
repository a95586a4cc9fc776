"""The error object of every route: `{"error": {"message", "type", "param", "code", "hint"}}`.

4xx says what the caller can change, 503 carries Retry-After, and an unforeseen exception becomes a plain 500: its text
goes to the log and never to the caller.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

logger = logging.getLogger(__name__)

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


_PARTS_OF_A_REQUEST = frozenset({"body", "query", "path", "header"})


class ApiError(Exception):
    """An answer other than success, raised anywhere below a route."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        hint: str,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.hint, self.param = status, message, code, hint, param
        self.retry_after = retry_after if retry_after is not None or status != 503 else 2.0


INTERNAL = ApiError(500, "internal error", code="internal_error", hint="see the log of this service")


def error_type(status: int) -> str:
    """Return OpenAI's name for a class of status codes."""
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def error_body(status: int, message: str, code: str, hint: str, param: str | None = None) -> dict[str, Any]:
    """Return the error object."""
    fields = {"message": message, "type": error_type(status), "param": param, "code": code, "hint": hint}
    return {"error": fields}


def error_response(error: ApiError) -> JSONResponse:
    """Return the HTTP answer for an error."""
    headers = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    body = error_body(error.status, error.message, error.code, error.hint, error.param)
    return JSONResponse(body, status_code=error.status, headers=headers)


async def _on_api_error(_request: Request, error: ApiError) -> JSONResponse:
    return error_response(error)


async def _on_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    where, *field = first["loc"]
    param = ".".join(str(part) for part in (field if where in _PARTS_OF_A_REQUEST else first["loc"])) or None
    message = f"{param or 'body'}: {first['msg']}"
    return error_response(
        ApiError(400, message, code="invalid_value", hint="compare the request with /openapi.json", param=param)
    )


async def _on_http_exception(_request: Request, error: HTTPException) -> JSONResponse:
    code = {404: "route_not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return error_response(ApiError(error.status_code, str(error.detail), code=code, hint="routes: /openapi.json"))


async def _on_exception(request: Request, error: Exception) -> JSONResponse:
    logger.error("unexpected error", exc_info=error, extra={"path": request.url.path})
    return error_response(INTERNAL)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of the application answer with the error object."""
    app.add_exception_handler(ApiError, _on_api_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _on_exception)
