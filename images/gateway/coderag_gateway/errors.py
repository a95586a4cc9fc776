"""The error object that every service of a stack answers with: OpenAI's fields and a hint."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response


def build_error(kind: str, code: str, message: str, hint: str, param: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code, "hint": hint}}


def unauthorized() -> Response:
    """Refuse a request without a key that is known here."""
    hint = "Send `Authorization: Bearer <api-key>`; the key is `api-key` in the stack's Secret."
    body = build_error("authentication_error", "invalid_api_key", "No API key, or one that is not known here.", hint)
    return JSONResponse(body, 401, {"www-authenticate": "Bearer"})


def forbidden_route(method: str, path: str) -> Response:
    """Refuse a route that is not for this key."""
    hint = "Use /v1/chat/completions, /v1/completions, /v1/embeddings or /v1/models."
    message = f"This API key may not call {method} {path}."
    return JSONResponse(build_error("permission_error", "route_not_allowed", message, hint), 403)


def forbidden_model(model: str, allowed: tuple[str, ...]) -> Response:
    """Refuse a model that is not for this key."""
    hint = f"Models for this key: {', '.join(allowed)}."
    message = f"This API key may not use the model {model!r}."
    return JSONResponse(build_error("permission_error", "model_not_allowed", message, hint, "model"), 403)


def unknown_model(model: str, allowed: tuple[str, ...]) -> Response:
    """Refuse a model that does not exist; nobody stands in for it."""
    hint = f"Models for this key: {', '.join(allowed)}."
    body = build_error("invalid_request_error", "model_not_found", f"There is no model {model!r}.", hint, "model")
    return JSONResponse(body, 404)


def bad_request(message: str, hint: str, param: str | None = None) -> Response:
    """Refuse a body that cannot be understood."""
    return JSONResponse(build_error("invalid_request_error", "invalid_request", message, hint, param), 400)


def too_large(limit: int) -> Response:
    """Refuse a body that is larger than any prompt could be."""
    message = f"The request body is larger than {limit} bytes."
    body = build_error("invalid_request_error", "request_too_large", message, "Send less context.")
    return JSONResponse(body, 413)


def unavailable(message: str, code: str, seconds: int) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return body and headers that say a model cannot answer now and when to try again."""
    hint = f"Try again in {seconds} seconds; `kubectl get crs` shows which part is down."
    return build_error("service_unavailable_error", code, message, hint), {"retry-after": str(seconds)}


def interrupted() -> dict[str, Any]:
    """Return the event that ends a stream which broke off: the status line is long gone, and nobody may go on."""
    hint = "Ask again; `kubectl get crs` shows which part is down."
    message = "The model's answer broke off; what came of it is not complete."
    return build_error("service_unavailable_error", "stream_interrupted", message, hint)


def prompt_too_long(details: str) -> dict[str, Any]:
    """Return the body for a prompt that fits into no model that may answer."""
    hint = "Send a shorter prompt, or give the model more context in the stack's spec."
    message = f"The prompt is longer than the model's context{details}."
    return build_error("invalid_request_error", "context_length_exceeded", message, hint, "messages")


def draining() -> Response:
    """Say that this process takes no new work."""
    return JSONResponse({"status": "draining"}, 503, {"connection": "close"})
