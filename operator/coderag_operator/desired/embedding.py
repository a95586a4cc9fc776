"""The embedding service."""

from collections.abc import Iterator

from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import keys, plain
from coderag_operator.desired.pod import SETTLE, Pod, http_probes
from coderag_operator.desired.sizing import size, threads
from coderag_operator.desired.workloads import deployment, disruption_budget, service, service_account


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the service has whether or not it can run yet."""
    yield service_account(context, names.EMBEDDING)
    yield service(context, names.EMBEDDING)
    yield disruption_budget(context, names.EMBEDDING)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the Deployment."""
    spec = context.stack.spec.embedding
    pod = Pod(
        component=names.EMBEDDING,
        image="embedding",
        settings=spec,
        env=[
            *plain(
                MODEL_NAME=spec.model,
                MODEL_CACHE_DIR="/models",
                MODEL_DEVICE="cpu",
                MODEL_LOAD=spec.load.lower(),
                EMBEDDING_QUERY_CACHE=spec.query_cache,
                EMBEDDING_THREADS=threads(size(names.EMBEDDING, spec.resources)),
                LISTEN_PORT=names.PORTS[names.EMBEDDING],
            ),
            *keys(context, EMBEDDING_API_KEY="embedding-api-key"),
        ],
        ports={"http": names.PORTS[names.EMBEDDING]},
        probes=http_probes("/readyz", "/healthz", startup_seconds=120),
        pre_stop=SETTLE,
        grace_seconds=45,
    )
    yield deployment(context, pod, replicas=spec.replicas)
