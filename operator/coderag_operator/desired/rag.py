"""The rag service: search and answers."""

from collections.abc import Iterator

from coderag_operator.api import seconds
from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import Env, keys, plain, retrieval
from coderag_operator.desired.pod import Pod, http_probes
from coderag_operator.desired.references import servers
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
        env=[*retrieval(context, "qdrant-read-only-api-key"), *_language_models(context), *_own(context)],
        ports={"http": names.PORTS[names.RAG]},
        probes=http_probes("/readyz", "/healthz", startup_seconds=300),
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
        *plain(**{f"INFERENCE_{role.upper()}_URL": inference_url(context, role) for role in names.ROLES}),
    ]


def inference_url(context: Context, role: str) -> str:
    """Return where whoever answers for a role is reached without the gateway."""
    external = servers(context.stack)[role].external
    return external.base_url if external else context.url(role, f"active-{role}")


def _own(context: Context) -> Env:
    return [
        *keys(context, API_KEY="api-key", RAG_API_KEY="rag-api-key"),
        # Kubernetes puts the two variables above into this one; the keys themselves stay in the Secret.
        *plain(RAG_API_KEYS="$(API_KEY),$(RAG_API_KEY)", LISTEN_PORT=names.PORTS[names.RAG]),
    ]
