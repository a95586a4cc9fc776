"""Which Secrets and ConfigMaps a stack refers to: what must be read before `build`."""

from collections.abc import Iterator
from dataclasses import dataclass

from coderag_operator.api import Stack
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
KEYED = (names.CHAT, names.CODE, names.EMBEDDING, names.QDRANT, names.GATEWAY, names.RAG, names.INGESTION)
# What the Secret of a private repository holds, and what it may hold instead. Without known_hosts anybody could pose as
# the Git host.
SSH_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = (("ssh-privatekey", "known_hosts"), ())
HTTP_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = (("token",), ("username", "password"))
# Who talks to the world outside the cluster, and so needs its certificates.
OUTBOUND = (names.GATEWAY, names.INGESTION, names.MODELS)


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


def takes_webhooks(stack: Stack) -> bool:
    """Tell whether the Git host of some repository tells when there is something new."""
    return any(one.webhook_secret_ref for one in stack.spec.repositories)


def secret_references(stack: Stack) -> tuple[SecretReference, ...]:
    """Return every Secret that the stack's workloads need, the keys Secret among them."""
    return (*_keys(stack), *_models(stack), *_repositories(stack), *_certificates(stack))


def config_map_references(stack: Stack) -> tuple[SecretReference, ...]:
    """Return every ConfigMap of the user that the stack's workloads need."""
    bundle = stack.spec.ca_bundle
    if bundle is None or bundle.config_map_ref is None:
        return ()
    reference = bundle.config_map_ref
    field = "spec.caBundle.configMapRef"
    return tuple(SecretReference(reference.name, (reference.key,), component, field) for component in OUTBOUND)


def _keys(stack: Stack) -> Iterator[SecretReference]:
    name = names.keys_secret_name(stack)
    elsewhere = {role for role, server in servers(stack).items() if server.external}
    for component in KEYED:
        if component not in elsewhere:
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
