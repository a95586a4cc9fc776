"""What LiteLLM answers when no model can: turned into 503 with Retry-After. Pure.

LiteLLM says 429 when every deployment of a group is cooling down, and 500 or 408 when the last one it tried failed.
A caller can do one thing about all of them: try again later. A real 429 of a server keeps its meaning.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from coderag_gateway.errors import build_error, prompt_too_long, unavailable

# With drop_params, LiteLLM asks a second time after a 422 and answers 200 with `null` if that is refused too.
NOTHING = b"null"
REFUSED = ("The model server refused a field of the request (422).", "Send the usual fields only, with valid values.")
POOL_EMPTY = "No deployments available"  # the start of LiteLLM's message; a server's own 429 never has it
TOO_LONG = "ContextWindowExceededError"  # LiteLLM's class, for its own count and for what servers say
COUNTED = re.compile(r"Max Input Tokens=(\d+), Got=(\d+)")
UPSTREAM_FAILED = frozenset({408, 500, 502, 503, 504})
# What LiteLLM writes around a server's own message: its classes before it, and how it is configured after it.
AROUND = re.compile(
    r"\A(?:litellm\.\w+: )?(?:\w+(?:Error|Exception): )?OpenAIException - |\n\nLiteLLM: .*\Z", re.DOTALL
)
DEFAULT_SECONDS = 5
MAX_SECONDS = 60


def translate(
    status: int, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    """Return status, body and extra headers to answer instead, or None where LiteLLM's answer is right."""
    error = read_error(body)
    if status == 200 and body == NOTHING:
        return 422, build_error("invalid_request_error", "request_refused", *REFUSED), {}
    if status == 400 and TOO_LONG in str(error.get("message")):
        return 400, prompt_too_long(describe(str(error.get("message")))), {}
    if status == 429 and POOL_EMPTY in str(error.get("message")):
        return answer("Every model that could answer is down.", "models_unavailable", headers)
    if status == 408:
        return answer("The model did not answer in time.", "model_timeout", headers)
    if status in UPSTREAM_FAILED:
        return answer("The model could not be reached or failed.", "models_unavailable", headers)
    return None


def describe(message: str) -> str:
    """Return the figures in LiteLLM's message, if it counted itself."""
    found = COUNTED.search(message)
    return f": about {found[2]} tokens, and {found[1]} fit" if found else ""


def read_error(body: bytes) -> dict[str, Any]:
    """Return the error object of a body, empty where there is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def unwrap(body: bytes) -> bytes:
    """Return a refusal with the server's own message, as it was before LiteLLM wrote around it."""
    error = read_error(body)
    said = str(error.get("message"))
    told = AROUND.sub("", said)
    return body if told == said else json.dumps({"error": {**error, "message": told}}).encode()


def answer(message: str, code: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return the 503 and when to try again."""
    body, extra = unavailable(message, code, read_retry_after(headers))
    return 503, body, dict(extra)


def read_retry_after(headers: Mapping[str, str]) -> int:
    """Return LiteLLM's or the server's own time, in whole seconds and within reason."""
    text = headers.get("retry-after") or headers.get("llm_provider-retry-after") or ""
    try:
        seconds = math.ceil(float(text))
    except (ValueError, OverflowError):
        return DEFAULT_SECONDS
    return min(max(seconds, 1), MAX_SECONDS)
