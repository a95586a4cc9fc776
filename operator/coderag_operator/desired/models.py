"""The model cache and the Jobs that download onto it."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.api.servers import HttpSource
from coderag_operator.desired import names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.claims import claim, claim_volume
from coderag_operator.desired.context import Context, Manifest, checksum
from coderag_operator.desired.env import outbound, secret
from coderag_operator.desired.placement import model_placement
from coderag_operator.desired.pod import Pod, template
from coderag_operator.desired.references import digests, downloads
from coderag_operator.desired.workloads import service_account

FOLDER = "/models"


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield the claim and the account, as soon as a model is downloaded."""
    if digests(context.stack):
        cache = context.stack.spec.model_cache
        keep = cache.deletion_policy == "Retain"
        yield claim(context, names.MODELS, size=cache.size, storage_class=cache.storage_class_name, keep=keep)
        yield service_account(context, names.MODELS)


def fetches(context: Context) -> Iterator[Manifest]:
    """Yield one Job per file: roles that share a file share its Job."""
    seen: set[str] = set()
    for role, source in downloads(context.stack).items():
        if source.sha256 not in seen:
            seen.add(source.sha256)
            yield _job(context, role, source)


def _job(context: Context, role: str, source: HttpSource) -> Manifest:
    body: dict[str, Any] = {
        # The operator starts a failed Job again, with its own backoff and knowing the reason.
        "backoffLimit": 0,
        "template": template(context, _pod(context, source)),
    }
    # Named by what it does, onto which claim: a change makes another Job, because the template of a Job cannot change.
    suffix = f"fetch-{role}-{checksum([body, context.inputs.cache_uid])[:10]}"
    paused = {"suspend": context.is_stopped(names.MODELS)}
    job = context.manifest("batch/v1", "Job", names.MODELS, suffix, spec=body | paused)
    job["metadata"]["annotations"] = {names.SHA256_ANNOTATION: source.sha256}
    job["metadata"]["labels"][names.ROLE_LABEL] = role
    return job


def _pod(context: Context, source: HttpSource) -> Pod:
    token = source.token_secret_ref
    return Pod(
        component=names.MODELS,
        image="model",
        settings=context.stack.spec.model_cache,
        command=["python", "-m", "coderag_model"],
        args=["fetch", "--url", source.url, "--sha256", source.sha256, "--directory", FOLDER],
        env=[
            *([secret("MODEL_TOKEN", token.name, token.key)] if token else []),
            *outbound(context),
            *certificate_env(context),
        ],
        volumes=[claim_volume("models", names.cache_claim_name(context.stack)), *certificate_volumes(context)],
        mounts=[{"name": "models", "mountPath": FOLDER}, *certificate_mounts(context)],
        restart_policy="Never",
        **model_placement(context, names.MODELS),
    )
