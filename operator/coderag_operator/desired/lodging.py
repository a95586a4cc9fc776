"""The files of embedding models: where they are mounted, the claim of those that are fetched, and the Job that does it.

Two models are served while an index is rebuilt: the one that is wanted, and the one that the index which answers was
built with. Both read the same claim, which one node may be able to mount at a time: pods with it stay together.
"""

from typing import Any

from coderag_operator.api.embedding import Lodging
from coderag_operator.desired import names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.claims import claim, claim_volume
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.env import outbound, secret
from coderag_operator.desired.placement import NODE
from coderag_operator.desired.pod import Pod
from coderag_operator.desired.references import folder
from coderag_operator.desired.served import lodgings

FOLDER = "/models"
# On every pod that mounts the claim, whatever component it is of.
CLAIM_LABEL = "coderag.dev/embedding-files"


def files_claim(context: Context) -> list[Manifest]:
    """Return the claim of fetched files, while a model that is served has some."""
    if not any(one.fetched for one in lodgings(context.stack, context.inputs)):
        return []
    storage = context.stack.spec.embedding.storage
    return [claim(context, names.EMBEDDING, size=storage.size, storage_class=storage.storage_class_name)]


def volumes(context: Context, lodging: Lodging) -> list[dict[str, Any]]:
    """Return the volume with the files of a model; none for the one in the image."""
    if not lodging.place:
        return []
    name = names.embedding_claim_name(context.stack) if lodging.fetched else lodging.on_claim[0]
    return [claim_volume("models", name, read_only=True)]


def mounts(lodging: Lodging) -> list[dict[str, Any]]:
    """Return where the files are mounted: beside the model in the image, which stays there as a fallback."""
    if not lodging.place:
        return []
    path = lodging.place if lodging.fetched else lodging.on_claim[1]
    return [{"name": "models", "mountPath": f"{FOLDER}/{lodging.model}", "subPath": path, "readOnly": True}]


def labels(lodging: Lodging) -> dict[str, str]:
    """Return what pods with the stack's claim are found by."""
    return {CLAIM_LABEL: "true"} if lodging.fetched else {}


def affinity(context: Context, lodging: Lodging) -> dict[str, Any]:
    """Return that pods with the stack's claim are on one node; the first of them matches its own term."""
    if not lodging.fetched:
        return {}
    selector = {"matchLabels": {"app.kubernetes.io/instance": context.stack.name} | labels(lodging)}
    term = {"labelSelector": selector, "topologyKey": NODE}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def download(context: Context) -> Pod | None:
    """Return the pod that fetches the files of the wanted model, None where there is nothing to fetch."""
    files, lodging = folder(context.stack), context.stack.spec.embedding.lodging
    if files is None:
        return None
    token = files.token_secret_ref
    named = [word for file in files.files for word in ("--file", f"{file.path}={file.sha256}")]
    claimed = claim_volume("models", names.embedding_claim_name(context.stack))
    return Pod(
        component=names.MODELS,
        image="model",
        settings=context.stack.spec.model_cache,
        command=["python", "-m", "coderag_model"],
        args=["fetch-folder", "--url", files.url, *named, "--name", lodging.place, "--directory", FOLDER],
        env=[
            *([secret("MODEL_TOKEN", token.name, token.key)] if token else []),
            *outbound(context),
            *certificate_env(context),
        ],
        volumes=[claimed, *certificate_volumes(context)],
        mounts=[{"name": "models", "mountPath": FOLDER}, *certificate_mounts(context)],
        restart_policy="Never",
        labels=labels(lodging),
        affinity=affinity(context, lodging),
    )
