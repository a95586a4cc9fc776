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
CREDENTIALS, WEBHOOKS = "/etc/coderag-credentials", "/etc/coderag-webhooks"


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
    spec = context.stack.spec
    values = {
        "promotion": spec.embedding.promotion,
        "reconcileSchedule": spec.ingestion.reconcile_schedule,
        "repositories": [_entry(one) for one in _sorted(context)],
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _entry(repository: Repository) -> dict[str, Any]:
    webhook = repository.webhook_secret_ref
    return {
        "name": repository.name,
        "url": repository.url,
        "ref": repository.ref,
        "refs": list(repository.refs),
        "schedule": repository.schedule,
        "credentialsDir": f"{CREDENTIALS}/{repository.name}" if repository.credentials_secret_ref else None,
        "paths": list(repository.paths),
        "include": list(repository.include),
        "exclude": list(repository.exclude),
        "webhookSecretFile": f"{WEBHOOKS}/{repository.name}/{webhook.key}" if webhook else None,
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
        volumes=[config, clones, *_secret_volumes(context), *certificate_volumes(context)],
        mounts=[
            {"name": "config", "mountPath": FOLDER, "readOnly": True},
            {"name": "clones", "mountPath": WORK},
            *_secret_mounts(context),
            *certificate_mounts(context),
        ],
        grace_seconds=60,
        config=data,
    )


def _secret_volumes(context: Context) -> list[dict[str, Any]]:
    """Return the Secrets of repositories as files: credentials whole, of a webhook's Secret the one key."""
    volumes: list[dict[str, Any]] = []
    for one in _sorted(context):
        if credentials := one.credentials_secret_ref:
            volumes.append(_secret_volume(f"credentials-{one.name}", credentials.name))
        if webhook := one.webhook_secret_ref:
            items = [{"key": webhook.key, "path": webhook.key}]
            volumes.append(_secret_volume(f"webhook-{one.name}", webhook.name, items=items))
    return volumes


def _secret_volume(name: str, secret: str, **more: Any) -> dict[str, Any]:
    # ssh takes a key that the group can read as long as the file belongs to another user: here it is root's.
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440, **more}}


def _secret_mounts(context: Context) -> list[dict[str, Any]]:
    folders = {"credentials": CREDENTIALS, "webhook": WEBHOOKS}
    named = (volume["name"] for volume in _secret_volumes(context))
    parts = ((name, *name.split("-", 1)) for name in named)
    return [
        {"name": name, "mountPath": f"{folders[kind]}/{repository}", "readOnly": True}
        for name, kind, repository in parts
    ]


def _sorted(context: Context) -> list[Repository]:
    return sorted(context.stack.spec.repositories, key=lambda one: one.name)
