"""The ingestion worker: clones on a claim, repositories in a configuration file, credentials as mounted Secrets."""

import json
from collections.abc import Iterator
from typing import Any

from coderag_operator.api.repositories import Repository
from coderag_operator.desired import names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.claims import claim, claim_volume
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import keys, outbound, plain, retrieval
from coderag_operator.desired.pod import Pod, http_probes
from coderag_operator.desired.workloads import (
    config_map,
    disruption_budget,
    service,
    service_account,
    stateful_set,
)

FOLDER, FILE, WORK = "/etc/coderag", "ingestion.json", "/data"
# Not below FOLDER: nothing can be mounted inside a mounted ConfigMap.
CREDENTIALS = "/etc/coderag-credentials"


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield what the worker has whether or not it can run yet."""
    storage = context.stack.spec.ingestion.storage
    yield service_account(context, names.INGESTION)
    yield service(context, names.INGESTION)
    yield disruption_budget(context, names.INGESTION)
    yield claim(context, names.INGESTION, size=storage.size, storage_class=storage.storage_class_name)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the configuration and the StatefulSet."""
    data = {FILE: configuration(context)}
    yield config_map(context, names.INGESTION, data)
    yield stateful_set(context, pod(context, data))


def configuration(context: Context) -> str:
    """Return the configuration file."""
    repositories = sorted(context.stack.spec.repositories, key=lambda one: one.name)
    return json.dumps({"repositories": [_entry(one) for one in repositories]}, indent=2) + "\n"


def _entry(repository: Repository) -> dict[str, Any]:
    return {
        "name": repository.name,
        "url": repository.url,
        "ref": repository.ref,
        "schedule": repository.schedule,
        "credentialsDir": f"{CREDENTIALS}/{repository.name}" if repository.credentials_secret_ref else None,
    }


def pod(context: Context, data: dict[str, str]) -> Pod:
    """Return the worker's pod."""
    config = {"name": "config", "configMap": {"name": context.name(names.INGESTION)}}
    clones = claim_volume("clones", context.name(names.INGESTION))
    return Pod(
        component=names.INGESTION,
        image="rag",
        settings=context.stack.spec.ingestion,
        command=["python", "-m", "coderag_rag.ingestion"],
        env=[
            *retrieval(context, "qdrant-api-key"),
            *keys(context, INGESTION_API_KEY="api-key"),
            *plain(INGESTION_CONFIG=f"{FOLDER}/{FILE}", WORK_DIR=WORK, LISTEN_PORT=names.PORTS[names.INGESTION]),
            *outbound(context),
            *certificate_env(context),
        ],
        ports={"http": names.PORTS[names.INGESTION]},
        probes=http_probes("/readyz", "/healthz", startup_seconds=300),
        volumes=[config, clones, *_credential_volumes(context), *certificate_volumes(context)],
        mounts=[
            {"name": "config", "mountPath": FOLDER, "readOnly": True},
            {"name": "clones", "mountPath": WORK},
            *_credential_mounts(context),
            *certificate_mounts(context),
        ],
        grace_seconds=60,
        config=data,
    )


def _with_credentials(context: Context) -> list[tuple[str, str]]:
    repositories = context.stack.spec.repositories
    return sorted((one.name, one.credentials_secret_ref.name) for one in repositories if one.credentials_secret_ref)


def _credential_volumes(context: Context) -> list[dict[str, Any]]:
    return [
        {"name": f"credentials-{name}", "secret": {"secretName": secret, "defaultMode": 0o440}}
        for name, secret in _with_credentials(context)
    ]


def _credential_mounts(context: Context) -> list[dict[str, Any]]:
    return [
        {"name": f"credentials-{name}", "mountPath": f"{CREDENTIALS}/{name}", "readOnly": True}
        for name, _ in _with_credentials(context)
    ]
