"""The one error object of every answer, in OpenAI's shape plus a hint that says what to do."""

import logging
import math

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)


class ApiError(Exception):
    """An answer that is not a success."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": _type(status), "param": param, "code": code, "hint": hint}
        self.headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def _type(status: int) -> str:
    known = {401: "authentication_error", 429: "rate_limit_error"}
    return known.get(status, "invalid_request_error" if status < 500 else "api_error")


def install(app: FastAPI) -> None:
    """Make every failure of `app` answer with the error object."""

    @app.exception_handler(ApiError)
    def _own(request: Request, error: ApiError) -> JSONResponse:
        return _answer(error)

    @app.exception_handler(HTTPException)
    def _routing(request: Request, error: HTTPException) -> JSONResponse:
        hint = "The routes are POST /v1/embeddings, GET /v1/models, GET /model/status, POST /model/reload."
        code = {404: "route_not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        return _answer(ApiError(error.status_code, code, f"{request.method} on this path: {error.detail}", hint))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("Unexpected failure", exc_info=error)
        return _answer(ApiError(500, "internal_error", "The service failed.", "Its log has the details."))


def _answer(error: ApiError) -> JSONResponse:
    return JSONResponse({"error": error.error}, error.status, headers=error.headers)
