"""Pushes that a Git host reports. The sender proves itself by a signature over the body and not by an API key, so this
is an application of its own that is asked before the one with the keys.
"""

import hashlib
import hmac
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from coderag_rag.http.errors import ApiError, install_error_handlers
from coderag_rag.ingestion.queue import QueueFull
from coderag_rag.ingestion.source import Key
from coderag_rag.ingestion.worker import Worker

logger = logging.getLogger(__name__)
PREFIX = "/v1/webhooks/"
_LARGEST = 1024 * 1024


class Beside:
    """ASGI middleware: paths below a prefix go to another application."""

    def __init__(self, app: ASGIApp, prefix: str, other: ASGIApp) -> None:
        self._app, self._prefix, self._other = app, prefix, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._other if scope["type"] == "http" and scope["path"].startswith(self._prefix) else self._app
        await chosen(scope, receive, send)


def signed(body: bytes, headers: Any, secret: bytes) -> bool:
    """Whether the sender knows the secret: GitHub's and Gitea's HMAC over the body, or GitLab's token."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    given = {
        f"sha256={digest}": headers.get("x-hub-signature-256"),
        digest: headers.get("x-gitea-signature") or headers.get("x-forgejo-signature"),
        secret.decode("utf-8", "replace"): headers.get("x-gitlab-token"),
    }
    matches = [hmac.compare_digest(value.encode(), right.encode()) for right, value in given.items() if value]
    return any(matches)


def pushed_ref(body: bytes, content_type: str) -> tuple[str, bool]:
    """Return the full name of the ref that was pushed, empty for other events, and whether it is the default branch."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        body = parse_qs(body.decode("utf-8", "replace")).get("payload", [""])[0].encode()
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise ApiError(400, "the body is no JSON object", code="invalid_value", hint="send events as application/json")
    ref = event.get("ref") if isinstance(event.get("ref"), str) else ""
    described = event.get("repository") or event.get("project")
    default = described.get("default_branch") if isinstance(described, dict) else None
    if isinstance(event.get("project"), dict):
        default = event["project"].get("default_branch")
    return ref, bool(default) and ref == f"refs/heads/{default}"


def concerned(refs: tuple[str, ...], pushed: str, default: bool) -> list[str]:
    """Return which configured refs a push is about."""
    names = {pushed, pushed.removeprefix("refs/heads/"), pushed.removeprefix("refs/tags/")} if pushed else set()
    return [ref for ref in refs if ref in names or (ref == "HEAD" and default)]


async def read_body(request: Request) -> bytes:
    """Return the body, which may have 1 MiB."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise ApiError(413, "the body is larger than 1 MiB", code="too_large", hint="send push events only")
    return body


def build_webhooks(worker: Worker, secrets: dict[str, Path]) -> FastAPI:
    """Return the application; `secrets` names the file with the secret of each repository that has one."""
    app = FastAPI(title="CodeRAG webhooks", docs_url=None, redoc_url=None, openapi_url=None)
    install_error_handlers(app)

    @app.post(PREFIX + "{name}", status_code=202)
    async def push(name: str, request: Request) -> dict[str, Any]:
        body = await read_body(request)
        if not signed(body, request.headers, _secret(secrets, name)):
            worker.metrics.webhooks.labels("refused").inc()
            raise ApiError(401, "the signature is wrong", code="invalid_signature", hint="compare the webhook's secret")
        refs = concerned(worker.synchroniser.refs_of[name], *pushed_ref(body, request.headers.get("content-type", "")))
        return _queue(worker, name, refs)

    return app


def _secret(secrets: dict[str, Path], name: str) -> bytes:
    """Read at every use, so that a rotated Secret works at once."""
    path = secrets.get(name)
    if path is None:
        hint = "configure the repository with a webhook secret"
        raise ApiError(404, "no webhook is expected here", code="webhook_not_found", hint=hint)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        logger.warning("a webhook secret cannot be read", extra={"repository": name, "reason": error.strerror})
        secret = b""
    if not secret:
        raise ApiError(503, "the webhook's secret is not there yet", code="no_secret", hint="fill the Secret")
    return secret


def _queue(worker: Worker, name: str, refs: list[str]) -> dict[str, Any]:
    if not refs:
        worker.metrics.webhooks.labels("ignored").inc()
        return {"repository": name, "queued": False, "message": "no ref that is indexed was pushed"}
    try:
        asked = [worker.request(Key(name, ref)) for ref in refs]
    except QueueFull as error:
        worker.metrics.webhooks.labels("queue_full").inc()
        raise ApiError(503, str(error), code="queue_full", hint="send it again", retry_after=10) from None
    worker.metrics.webhooks.labels("queued").inc()
    message = "queued" if any(asked) else "was waiting already"
    return {"repository": name, "refs": refs, "queued": True, "message": message}
