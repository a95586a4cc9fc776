"""Which Secrets and ConfigMaps a stack refers to: what must be read before `build`."""

from collections.abc import Iterator
from dataclasses import dataclass

from coderag_operator.api import Stack
from coderag_operator.api.embedding import HttpFolder
from coderag_operator.api.servers import HttpSource, LlamaCpp, ModelServer
from coderag_operator.desired import names


@dataclass(frozen=True)
class SecretReference:
    """A component needs these keys of this object because of this field of the spec.

    Either every one of `keys`, or every one of `or_keys` where that is not empty. `live`: the pod reads it at every
    use, so that a change needs no restart.
    """

    name: str
    keys: tuple[str, ...]
    component: str
    field: str
    or_keys: tuple[str, ...] = ()
    live: bool = False


# Who presents or checks a key (docs/architecture.md): these workloads cannot be written before the keys exist.
KEYED = (
    names.CHAT, names.CODE, names.EMBEDDING, names.PREVIOUS, names.QDRANT, names.GATEWAY, names.RAG, names.INGESTION,
    names.EVALUATION,
)  # fmt: skip
# What the Secret of a private repository holds, and what it may hold instead. Without known_hosts anybody could pose as
# the Git host.
SSH_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = (("ssh-privatekey", "known_hosts"), ())
HTTP_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = (("token",), ("username", "password"))
# Who talks to the world outside the cluster, and so needs its certificates.
OUTBOUND = (names.GATEWAY, names.INGESTION, names.MODELS, names.EVALUATION)


def servers(stack: Stack) -> dict[str, ModelServer]:
    """Return who answers for each role."""
    return {names.CHAT: stack.spec.models.chat, names.CODE: stack.spec.models.code}


def local_servers(stack: Stack) -> dict[str, LlamaCpp]:
    """Return the model servers that the operator runs, by role."""
    return {role: server.llama_cpp for role, server in servers(stack).items() if server.llama_cpp}


def downloads(stack: Stack) -> dict[str, HttpSource]:
    """Return the source of every role whose model is downloaded."""
    return {role: server.source.http for role, server in local_servers(stack).items() if server.source.http}


def digests(stack: Stack) -> dict[str, str]:
    """Return the SHA-256 of the file of every role whose model is downloaded."""
    return {role: source.sha256 for role, source in downloads(stack).items()}


def model_keys(stack: Stack) -> dict[str, str]:
    """Return what names the model file of each local server."""
    return {role: server.source.key for role, server in local_servers(stack).items()}


def folder(stack: Stack) -> HttpFolder | None:
    """Return the files of the embedding model where they are downloaded, None where they are not."""
    source = stack.spec.embedding.source
    return source.http if source else None


def downloads_anything(stack: Stack) -> bool:
    """Tell whether files of any model are downloaded."""
    return bool(digests(stack)) or folder(stack) is not None


def takes_webhooks(stack: Stack) -> bool:
    """Tell whether the Git host of some repository tells when there is something new."""
    return any(one.webhook_secret_ref for one in stack.spec.repositories)


def secret_references(stack: Stack) -> tuple[SecretReference, ...]:
    """Return every Secret that the stack's workloads need, the keys Secret among them."""
    found = (*_keys(stack), *_models(stack), *_repositories(stack), *_judge(stack), *_certificates(stack))
    return _of_present(stack, found)


def config_map_references(stack: Stack) -> tuple[SecretReference, ...]:
    """Return every ConfigMap of the user that the stack's workloads need."""
    return _of_present(stack, (*_questions(stack), *_certificate_maps(stack)))


def _of_present(stack: Stack, references: tuple[SecretReference, ...]) -> tuple[SecretReference, ...]:
    elsewhere = {role for role, server in servers(stack).items() if server.external}
    absent = elsewhere if stack.spec.evaluation else elsewhere | {names.EVALUATION}
    return tuple(one for one in references if one.component not in absent)


def _questions(stack: Stack) -> Iterator[SecretReference]:
    if stack.spec.evaluation:
        reference = stack.spec.evaluation.questions.config_map_ref
        field = "spec.evaluation.questions.configMapRef"
        yield SecretReference(reference.name, (reference.key,), names.EVALUATION, field)


def _judge(stack: Stack) -> Iterator[SecretReference]:
    judge = stack.spec.evaluation.judge if stack.spec.evaluation else None
    if judge and (key := judge.api_key_secret_ref):
        yield SecretReference(key.name, (key.key,), names.EVALUATION, "spec.evaluation.judge.apiKeySecretRef")


def _certificate_maps(stack: Stack) -> Iterator[SecretReference]:
    bundle = stack.spec.ca_bundle
    if bundle and (reference := bundle.config_map_ref):
        for component in OUTBOUND:
            yield SecretReference(reference.name, (reference.key,), component, "spec.caBundle.configMapRef")


def _keys(stack: Stack) -> Iterator[SecretReference]:
    name = names.keys_secret_name(stack)
    for component in KEYED:
        yield SecretReference(name, names.KEY_NAMES, component, "spec.auth.existingSecretRef")


def _models(stack: Stack) -> Iterator[SecretReference]:
    for role, server in servers(stack).items():
        if server.external and (key := server.external.api_key_secret_ref):
            field = f"spec.models.{role}.external.apiKeySecretRef"
            yield SecretReference(key.name, (key.key,), names.GATEWAY, field)
    for role, source in downloads(stack).items():
        if token := source.token_secret_ref:
            field = f"spec.models.{role}.llamaCpp.source.http.tokenSecretRef"
            yield SecretReference(token.name, (token.key,), names.MODELS, field)
    files = folder(stack)
    if files and (token := files.token_secret_ref):
        field = "spec.embedding.source.http.tokenSecretRef"
        yield SecretReference(token.name, (token.key,), names.MODELS, field)


def _repositories(stack: Stack) -> Iterator[SecretReference]:
    for index, repository in enumerate(stack.spec.repositories):
        field = f"spec.repositories[{index}]"
        if reference := repository.credentials_secret_ref:
            keys, or_keys = SSH_KEYS if repository.over_ssh else HTTP_KEYS
            place = f"{field}.credentialsSecretRef"
            yield SecretReference(reference.name, keys, names.INGESTION, place, or_keys, live=True)
        if webhook := repository.webhook_secret_ref:
            place = f"{field}.webhookSecretRef"
            yield SecretReference(webhook.name, (webhook.key,), names.INGESTION, place, live=True)


def _certificates(stack: Stack) -> Iterator[SecretReference]:
    bundle = stack.spec.ca_bundle
    if bundle and (reference := bundle.secret_ref):
        for component in OUTBOUND:
            yield SecretReference(reference.name, (reference.key,), component, "spec.caBundle.secretRef")
