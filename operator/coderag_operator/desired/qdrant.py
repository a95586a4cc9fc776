"""Qdrant: the index. The official image, as a user without rights and on a read-only root."""

from collections.abc import Iterator

from coderag_operator.desired import names
from coderag_operator.desired.claims import claim, claim_volume
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import keys, plain
from coderag_operator.desired.pod import Pod, http_probes
from coderag_operator.desired.workloads import disruption_budget, service, service_account, stateful_set

GRPC = {"grpc": 6334}
STORAGE, INIT = "/qdrant/storage", "/qdrant/init"


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what Qdrant has whether or not it can run yet."""
    spec = context.stack.spec.vector_store
    yield service_account(context, names.QDRANT)
    yield service(context, names.QDRANT, GRPC)
    yield disruption_budget(context, names.QDRANT)
    yield claim(
        context,
        names.QDRANT,
        size=spec.storage.size,
        storage_class=spec.storage.storage_class_name,
        keep=spec.deletion_policy == "Retain",
    )


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the StatefulSet."""
    pod = Pod(
        component=names.QDRANT,
        image="qdrant",
        settings=context.stack.spec.vector_store,
        env=[
            *keys(
                context,
                QDRANT__SERVICE__API_KEY="qdrant-api-key",
                QDRANT__SERVICE__READ_ONLY_API_KEY="qdrant-read-only-api-key",
            ),
            *plain(
                QDRANT__SERVICE__ENABLE_STATIC_CONTENT="false",
                QDRANT__STORAGE__STORAGE_PATH=STORAGE,
                QDRANT__STORAGE__SNAPSHOTS_PATH=f"{STORAGE}/snapshots",
                QDRANT__TELEMETRY_DISABLED="true",
                # The server marks the end of its start in a file beside its program, where nothing can be written.
                QDRANT_INIT_FILE_PATH=f"{INIT}/.qdrant-initialized",
            ),
        ],
        ports={"http": names.PORTS[names.QDRANT]} | GRPC,
        probes=http_probes("/readyz", "/livez", startup_seconds=300),
        volumes=[
            {"name": "init", "emptyDir": {"sizeLimit": "1Mi"}},
            claim_volume("storage", context.name(names.QDRANT)),
        ],
        mounts=[{"name": "init", "mountPath": INIT}, {"name": "storage", "mountPath": STORAGE}],
        grace_seconds=60,
    )
    yield stateful_set(context, pod)
