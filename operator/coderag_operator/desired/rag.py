"""The rag service: search and answers."""

import json
from collections.abc import Iterator
from typing import Any

from coderag_operator.api import seconds
from coderag_operator.api.repositories import Repository
from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import Env, keys, plain, retrieval
from coderag_operator.desired.pod import SETTLE, Pod, http_probes
from coderag_operator.desired.references import local_servers
from coderag_operator.desired.served import find_previous
from coderag_operator.desired.workloads import deployment, disruption_budget, service, service_account


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the service has whether or not it can run yet."""
    yield service_account(context, names.RAG)
    yield service(context, names.RAG)
    yield disruption_budget(context, names.RAG)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the Deployment."""
    spec = context.stack.spec.rag
    pod = Pod(
        component=names.RAG,
        image="rag",
        settings=spec,
        env=[
            *retrieval(context, "qdrant-read-only-api-key"),
            *_language_models(context),
            *_own(context),
            *_links(context),
        ],
        ports={"http": names.PORTS[names.RAG]},
        probes=http_probes("/readyz", "/healthz", startup_seconds=300),
        pre_stop=SETTLE,
        labels={names.ASKS_PREVIOUS_LABEL: "true"} if find_previous(context.stack, context.inputs) else {},
        grace_seconds=seconds(spec.timeouts.llm) + 15,
    )
    yield deployment(context, pod, replicas=spec.replicas)


def _language_models(context: Context) -> Env:
    spec = context.stack.spec
    return [
        *plain(GATEWAY_URL=context.url(names.GATEWAY)),
        *keys(context, GATEWAY_API_KEY="rag-gateway-key"),
        *plain(
            LLM_REQUEST_TIMEOUT=seconds(spec.gateway.timeouts.request),
            LLM_CONNECT_TIMEOUT=seconds(spec.gateway.timeouts.connect),
            RAG_LLM_TIMEOUT=seconds(spec.rag.timeouts.llm),
        ),
        *_model_servers(context),
    ]


def _model_servers(context: Context) -> Env:
    """Return where rag reaches the stack's own model servers, and what fits into the smaller one's context.

    An external endpoint is not asked: it belongs to somebody else, and the gateway alone may reach it.
    """
    local = local_servers(context.stack)
    if not local:
        return []
    smallest = min(server.context_tokens for server in local.values())
    urls = {f"INFERENCE_{role.upper()}_URL": context.url(role, f"active-{role}") for role in local}
    # With their key it may also put a question to them itself while the gateway cannot be reached.
    own = keys(context, LLAMA_API_KEY="llama-api-key")
    return [*plain(**urls, CONTEXT_TOKENS=smallest // 2, ANSWER_TOKENS=smallest // 8), *own]


def _own(context: Context) -> Env:
    return [
        *keys(context, API_KEY="api-key", RAG_API_KEY="rag-api-key"),
        # Kubernetes puts the two variables above into this one; the keys themselves stay in the Secret.
        *plain(RAG_API_KEYS="$(API_KEY),$(RAG_API_KEY)", LISTEN_PORT=names.PORTS[names.RAG]),
    ]


def _links(context: Context) -> Env:
    """Return where repositories come from, out of which rag makes links to lines on their Git hosts."""
    remotes = {one.name: _remote(one) for one in context.stack.spec.repositories}
    # Kubernetes would put another variable's value, a key maybe, in the place of $(NAME); $$ is a plain dollar.
    return plain(REPOSITORY_URLS=json.dumps(remotes, sort_keys=True).replace("$", "$$")) if remotes else []


def _remote(repository: Repository) -> Any:
    return {"url": repository.url, "host": repository.host} if repository.host else repository.url
