"""Environment variables of containers, as the list that Kubernetes takes."""

from collections.abc import Mapping
from typing import Any

from coderag_operator.api import seconds
from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.served import find_previous

Env = list[dict[str, Any]]


def plain(**values: str | int) -> Env:
    """Return variables with values that anyone may read."""
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def secret(name: str, secret_name: str, key: str) -> dict[str, Any]:
    """Return one variable whose value stays in its Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": key}}}


def keys(context: Context, **variables: str) -> Env:
    """Return variables from the stack's keys: variable name to key."""
    source = names.keys_secret_name(context.stack)
    return [secret(name, source, key) for name, key in variables.items()]


def outbound(context: Context) -> Env:
    """Return the proxy variables, in both spellings, because curl and Git read the lower-case ones."""
    proxy = context.stack.spec.proxy
    values: Mapping[str, str | None] = {
        "HTTP_PROXY": proxy.http_proxy,
        "HTTPS_PROXY": proxy.https_proxy,
        "NO_PROXY": ",".join((*proxy.no_proxy, "localhost", "127.0.0.1", ".svc", ".svc.cluster.local")),
    }
    given = {name: value for name, value in values.items() if value}
    if len(given) == 1:
        return []
    return plain(**given) + plain(**{name.lower(): value for name, value in given.items()})


def retrieval(context: Context, qdrant_key: str) -> Env:
    """Return how rag and ingestion reach Qdrant and the embedding service, and how they repeat a failed call."""
    rag = context.stack.spec.rag
    previous = find_previous(context.stack, context.inputs)
    return [
        *plain(QDRANT_URL=context.url(names.QDRANT), EMBEDDING_URL=context.url(names.EMBEDDING)),
        *(plain(EMBEDDING_PREVIOUS_URL=context.url(names.PREVIOUS)) if previous else []),
        *keys(context, QDRANT_API_KEY=qdrant_key, EMBEDDING_API_KEY="embedding-api-key"),
        *plain(
            QDRANT_TIMEOUT=seconds(rag.timeouts.qdrant),
            EMBEDDING_TIMEOUT=seconds(rag.timeouts.embedding),
            QDRANT_MAX_RETRIES=rag.retries.attempts,
            QDRANT_RETRY_MIN_WAIT=seconds(rag.retries.min_wait),
            QDRANT_RETRY_MAX_WAIT=seconds(rag.retries.max_wait),
        ),
    ]
