"""The model cache, the Jobs that download onto it, and those that look at files on the user's own claims."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.api.servers import ClaimSource, HttpSource
from coderag_operator.desired import lodging, names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.claims import claim, claim_volume
from coderag_operator.desired.context import Context, Manifest, checksum
from coderag_operator.desired.env import outbound, secret
from coderag_operator.desired.placement import model_placement
from coderag_operator.desired.pod import Pod, template
from coderag_operator.desired.references import digests, downloads_anything, local_servers, model_keys
from coderag_operator.desired.workloads import service_account

FOLDER = "/models"


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield the claim and the account, as soon as a model is downloaded."""
    if digests(context.stack):
        cache = context.stack.spec.model_cache
        keep = cache.deletion_policy == "Retain"
        yield claim(context, names.MODELS, size=cache.size, storage_class=cache.storage_class_name, keep=keep)
    if local_servers(context.stack) or downloads_anything(context.stack):
        yield service_account(context, names.MODELS)


def fetches(context: Context) -> Iterator[Manifest]:
    """Yield one Job per file: roles that share a file share its Job."""
    seen: set[str] = set()
    for role, key in model_keys(context.stack).items():
        if key not in seen:
            seen.add(key)
            yield _of_role(context, role, key)
    if pod := lodging.download(context):
        place = context.stack.spec.embedding.lodging.place
        yield _job(context, pod, f"fetch-{names.EMBEDDING}", context.inputs.embedding_uid, place)


def _of_role(context: Context, role: str, key: str) -> Manifest:
    source = local_servers(context.stack)[role].source
    pod = _download(context, source.http) if source.http else _inspection(context, source.pvc)
    # A file on a claim of the user's is not fetched, only looked at: what its header says is planned with.
    verb, claim_uid = ("fetch", context.inputs.cache_uid) if source.http else ("inspect", "")
    job = _job(context, pod, f"{verb}-{role}", claim_uid, key)
    job["metadata"]["labels"][names.ROLE_LABEL] = role
    return job


def _job(context: Context, pod: Pod, name: str, claim_uid: str, key: str) -> Manifest:
    body: dict[str, Any] = {
        # The operator starts a failed Job again, with its own backoff and knowing the reason.
        "backoffLimit": 0,
        "template": template(context, pod),
    }
    # Named by what it does, onto which claim: a change makes another Job, because the template of a Job cannot change.
    suffix = f"{name}-{checksum([body, claim_uid])[:10]}"
    paused = {"suspend": context.is_stopped(names.MODELS)}
    job = context.manifest("batch/v1", "Job", names.MODELS, suffix, spec=body | paused)
    job["metadata"]["annotations"] = {names.SHA256_ANNOTATION: key}
    return job


def _inspection(context: Context, source: ClaimSource | None) -> Pod:
    assert source is not None  # noqa: S101  the spec's rule: exactly one of http and pvc
    return Pod(
        component=names.MODELS,
        image="model",
        settings=context.stack.spec.model_cache,
        command=["python", "-m", "coderag_model"],
        args=["inspect", "--path", f"{FOLDER}/{source.path}"],
        volumes=[claim_volume("models", source.claim_name, read_only=True)],
        mounts=[{"name": "models", "mountPath": FOLDER, "readOnly": True}],
        restart_policy="Never",
        # Not bound to the node of the stack's own cache: the claim alone says where it can be mounted.
        node_selector=context.stack.spec.gpu.node_selector,
        tolerations=context.stack.spec.gpu.tolerations,
    )


def _download(context: Context, source: HttpSource) -> Pod:
    token = source.token_secret_ref
    return Pod(
        component=names.MODELS,
        image="model",
        settings=context.stack.spec.model_cache,
        command=["python", "-m", "coderag_model"],
        first=("geometry", ["geometry", "--url", source.url, "--advisory"]),
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
