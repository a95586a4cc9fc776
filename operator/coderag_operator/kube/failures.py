"""From an HTTP answer to one of the operator's failures. Messages end up in conditions: no address, no secret."""

import json
from collections.abc import Mapping
from typing import Any

from coderag_operator.errors import Blocked, Failure, Terminal, Transient, Unserved, Vanished

LIMIT = 400
RETRY = {408, 409, 410, 425, 429, 500, 502, 503, 504}


def classify(status: int, body: str | None, headers: Mapping[str, str] | None = None) -> Failure:
    """Return the failure that an answer of the API server stands for."""
    document = read_status(body)
    reason, message = str(document.get("reason") or f"Http{status}"), cut(str(document.get("message") or ""))
    if status == 404 and is_unserved(document):
        return Unserved("NotServed", "the API server serves no such kind: it is too old, or a definition is missing")
    if is_terminating(document) or status == 404:
        return Vanished(reason, message or "the object or its namespace is gone")
    if status in RETRY:
        return Transient(reason, message or f"the API server answered {status}", read_retry_after(headers))
    if status in (401, 403):
        return Blocked(reason, message or "the API server refuses access: check the operator's ServiceAccount")
    return Terminal(reason, message or f"the API server answered {status}")


def read_status(body: str | None) -> dict[str, Any]:
    """Return the Status object in an error body, empty when it is something else."""
    try:
        document = json.loads(body or "")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def is_unserved(document: Mapping[str, Any]) -> bool:
    """Tell whether the path is unknown, and not an object: then there is plain text, or details that name nothing."""
    return not (document.get("details") or {}).get("name")


def is_terminating(document: Mapping[str, Any]) -> bool:
    """Tell whether the namespace is being deleted: nothing can be created in it any more."""
    causes = (document.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def read_retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Return how long the API server asks to wait, when it says so in seconds."""
    value = (headers or {}).get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def cut(message: str) -> str:
    """Return a message short enough for a condition."""
    return message if len(message) <= LIMIT else message[: LIMIT - 1] + "…"
