"""The gateway: LiteLLM with the configuration that litellm.py writes."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.api import seconds
from coderag_operator.api.servers import External
from coderag_operator.desired import litellm, names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import Env, keys, outbound, plain, secret
from coderag_operator.desired.pod import Pod, http_probes
from coderag_operator.desired.references import servers
from coderag_operator.desired.workloads import (
    config_map,
    deployment,
    disruption_budget,
    service,
    service_account,
)

FOLDER, FILE = "/etc/coderag", "config.yaml"


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the gateway has whether or not it can run yet."""
    yield service_account(context, names.GATEWAY)
    yield service(context, names.GATEWAY)
    yield disruption_budget(context, names.GATEWAY)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the configuration and the Deployment."""
    data = {FILE: litellm.render(context)}
    yield config_map(context, names.GATEWAY, data)
    yield deployment(context, pod(context, data), replicas=context.stack.spec.gateway.replicas)


def pod(context: Context, data: dict[str, str]) -> Pod:
    """Return the gateway's pod."""
    spec = context.stack.spec
    config = {"name": "config", "configMap": {"name": context.name(names.GATEWAY)}}
    return Pod(
        component=names.GATEWAY,
        image="gateway",
        settings=spec.gateway,
        env=[*_keys(context), *_settings(), *outbound(context), *certificate_env(context)],
        ports={"http": names.PORTS[names.GATEWAY]},
        probes=http_probes("/health/readiness", "/health/liveliness", startup_seconds=180),
        volumes=[config, *certificate_volumes(context)],
        mounts=[{"name": "config", "mountPath": FOLDER, "readOnly": True}, *certificate_mounts(context)],
        grace_seconds=_grace(context),
        config=data,
    )


def _grace(context: Context) -> int:
    """Return how long a gateway that is told to stop may take: the longest answer, with a model that gave none first.

    It settles by itself: it takes requests for a while when its readiness says no already.
    """
    timeouts = context.stack.spec.gateway.timeouts
    first, request, llm = litellm.first_token(timeouts), seconds(timeouts.request), context.stack.spec.rag.timeouts.llm
    return max(first + request, seconds(llm)) + litellm.DRAIN_DELAY + 15


def _settings() -> Env:
    return plain(CODERAG_CONFIG=f"{FOLDER}/{FILE}", LISTEN_PORT=names.PORTS[names.GATEWAY])


def _keys(context: Context) -> Env:
    own = keys(
        context,
        LITELLM_MASTER_KEY="gateway-master-key",
        API_KEY="api-key",
        RAG_GATEWAY_KEY="rag-gateway-key",
        LLAMA_API_KEY="llama-api-key",
        RAG_API_KEY="rag-api-key",
        EMBEDDING_API_KEY="embedding-api-key",
    )
    external = {role: server.external for role, server in servers(context.stack).items() if server.external}
    return own + [_external_key(role, server) for role, server in external.items()]


def _external_key(role: str, server: External) -> dict[str, Any]:
    variable, reference = litellm.key_variable(role), server.api_key_secret_ref
    # LiteLLM sends some key in any case; an endpoint that wants none ignores it.
    return secret(variable, reference.name, reference.key) if reference else {"name": variable, "value": "none"}
