"""The embedding service, and beside it the model that the index was built with as long as that is another one."""

from collections.abc import Iterator

from coderag_operator.api.embedding import Lodging
from coderag_operator.desired import lodging, names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import Env, keys, plain
from coderag_operator.desired.pod import SETTLE, Pod, http_probes
from coderag_operator.desired.served import lodgings
from coderag_operator.desired.sizing import LARGE, size, threads
from coderag_operator.desired.workloads import deployment, disruption_budget, service, service_account

# Models of half a billion parameters take some GiB where the others take some hundred MiB.
HEAVY = {"KURE-v1", "Qwen3-Embedding-0.6B", "gte-modernbert-base"}


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the services have whether or not they can run yet."""
    yield from lodging.files_claim(context)
    for component in served(context):
        yield service_account(context, component)
        yield service(context, component)
        yield disruption_budget(context, component)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the Deployment of the wanted model."""
    spec = context.stack.spec.embedding
    yield deployment(context, pod(context, names.EMBEDDING, spec.lodging), replicas=spec.replicas)


def previous(context: Context) -> Iterator[Manifest]:
    """Yield the Deployment of the model that the index was built with, while another one is wanted."""
    live = served(context).get(names.PREVIOUS)
    if live:
        replicas = context.stack.spec.embedding.replicas
        yield deployment(context, pod(context, names.PREVIOUS, live), replicas=replicas)


def served(context: Context) -> dict[str, Lodging]:
    """Return the models that are served, by component."""
    return dict(zip((names.EMBEDDING, names.PREVIOUS), lodgings(context.stack, context.inputs), strict=False))


def pod(context: Context, component: str, model: Lodging) -> Pod:
    """Return the pod that serves a model."""
    sized = LARGE if model.model in HEAVY else names.EMBEDDING
    return Pod(
        component=component,
        image="embedding",
        settings=context.stack.spec.embedding,
        sized=sized,
        env=[*_settings(context, model, sized), *keys(context, EMBEDDING_API_KEY="embedding-api-key")],
        ports={"http": names.PORTS[component]},
        probes=http_probes("/readyz", "/healthz", startup_seconds=120),
        pre_stop=SETTLE,
        volumes=lodging.volumes(context, model),
        mounts=lodging.mounts(model),
        labels=lodging.labels(model),
        affinity=lodging.affinity(context, model),
        grace_seconds=45,
    )


def _settings(context: Context, model: Lodging, sized: str) -> Env:
    spec = context.stack.spec.embedding
    # Never itself: the model before may be the fallback of the new one.
    fallback = spec.fallback if spec.fallback != model.model else None
    return plain(
        MODEL_NAME=model.model,
        MODEL_CACHE_DIR=lodging.FOLDER,
        MODEL_DEVICE="cpu",
        MODEL_LOAD=spec.load.lower(),
        EMBEDDING_QUERY_CACHE=spec.query_cache,
        EMBEDDING_THREADS=threads(size(sized, spec.resources)),
        LISTEN_PORT=names.PORTS[names.EMBEDDING],
        **({"MODEL_FALLBACK": fallback} if fallback else {}),
    )
