"""A component whose input is missing is left as it is, and the message says what to do."""

from dataclasses import replace

import pytest
from coderag_operator.desired import Desired, Inputs, SecretFact, build, config_map_references, secret_references
from tests.specs import CHAT_SHA, CODE_SHA, EXTERNAL, make_inputs, make_stack, nest

KEYED = {"chat", "code", "embedding", "qdrant", "gateway", "rag", "ingestion"}


def build_without(*patches: dict, secrets: set[str] = frozenset(), **changes: object) -> Desired:
    stack = make_stack(*patches)
    inputs = make_inputs(stack)
    left = {name: fact for name, fact in inputs.secrets.items() if name not in secrets}
    return build(stack, replace(inputs, **({"secrets": left} | changes)))


def kinds_of(desired: Desired, component: str) -> set[str]:
    label = "app.kubernetes.io/component"
    return {child["kind"] for child in desired.objects if child["metadata"]["labels"][label] == component}


def test_nothing_is_frozen_when_everything_is_there():
    assert build_without().frozen == {}


def test_before_the_keys_exist_nothing_that_needs_one_runs():
    desired = build_without(secrets={"demo-keys"})
    assert set(desired.frozen) == KEYED
    assert desired.frozen["rag"].reason == "KeysPending"
    assert {"Deployment", "StatefulSet"}.isdisjoint(child["kind"] for child in desired.objects)


def test_a_missing_secret_of_the_users_names_field_secret_key_and_remedy():
    patch = nest("auth.existingSecretRef.name", "mine")
    frozen = build_without(patch, secrets={"mine"}).frozen["gateway"]
    assert frozen.reason == "SecretMissing"
    assert frozen.message.startswith(
        "spec.auth.existingSecretRef: Secret mine does not exist; create it with the keys api-key and"
    )


def test_a_secret_without_its_key_names_the_key():
    stack = make_stack(nest("auth.existingSecretRef.name", "mine"))
    inputs = make_inputs(stack)
    fact = SecretFact("x", inputs.secrets["mine"].keys - {"rag-api-key"})
    frozen = build(stack, replace(inputs, secrets={"mine": fact})).frozen["rag"]
    assert frozen.reason == "SecretKeyMissing"
    assert "Secret mine has no key rag-api-key" in frozen.message


def test_a_frozen_component_keeps_what_does_not_depend_on_the_missing_input():
    desired = build_without(secrets={"demo-keys"})
    assert kinds_of(desired, "rag") == {"Service", "ServiceAccount", "PodDisruptionBudget"}
    assert kinds_of(desired, "qdrant") == {"Service", "ServiceAccount", "PodDisruptionBudget", "PersistentVolumeClaim"}


def test_a_missing_token_freezes_the_downloads_only():
    patch = nest("models.chat.llamaCpp.source.http.tokenSecretRef", {"name": "hub", "key": "token"})
    desired = build_without(patch, secrets={"hub"})
    assert set(desired.frozen) == {"models"}
    assert (
        "spec.models.chat.llamaCpp.source.http.tokenSecretRef: Secret hub does not exist"
        in desired.frozen["models"].message
    )


@pytest.mark.parametrize(("keys", "fits"), [
    ({"token"}, True), ({"username", "password"}, True), ({"username"}, False), ({"ssh-privatekey"}, False),
])  # fmt: skip
def test_credentials_of_a_repository_are_a_token_or_name_and_password(keys: set[str], fits: bool):
    stack = make_stack(
        {"repositories": [{"name": "a", "url": "https://git.example.com/a", "credentialsSecretRef": {"name": "git"}}]}
    )
    inputs = make_inputs(stack)
    facts = {**inputs.secrets, "git": SecretFact("x", frozenset(keys))}
    frozen = build(stack, replace(inputs, secrets=facts)).frozen
    assert ("ingestion" not in frozen) == fits
    if not fits:
        assert "add the keys token, or username and password to it" in frozen["ingestion"].message


SSH = {"name": "a", "url": "ssh://git@git.example.com/a.git", "credentialsSecretRef": {"name": "git"}}


@pytest.mark.parametrize(("keys", "lacks"), [
    ({"ssh-privatekey", "known_hosts", "ssh-publickey"}, ""), ({"ssh-privatekey"}, "known_hosts"),
    ({"token"}, "ssh-privatekey, known_hosts"),
])  # fmt: skip
def test_credentials_of_an_ssh_address_are_a_key_and_the_known_hosts(keys: set[str], lacks: str):
    stack = make_stack({"repositories": [SSH]})
    facts = {**make_inputs(stack).secrets, "git": SecretFact("x", frozenset(keys))}
    frozen = build(stack, replace(make_inputs(stack), secrets=facts)).frozen
    assert ("ingestion" not in frozen) == (not lacks)
    if lacks:
        assert (
            f"Secret git has no key {lacks}; add the keys ssh-privatekey and known_hosts" in frozen["ingestion"].message
        )


def test_a_missing_secret_of_a_webhook_freezes_the_worker_alone():
    hooked = {"name": "a", "url": "https://git.example.com/a", "webhookSecretRef": {"name": "hook", "key": "secret"}}
    frozen = build_without({"repositories": [hooked]}, secrets={"hook"}).frozen
    assert set(frozen) == {"ingestion"}
    assert frozen["ingestion"].message == (
        "spec.repositories[0].webhookSecretRef: Secret hook does not exist; create it with the key secret"
    )


def test_a_model_server_waits_for_its_own_file():
    desired = build_without(models={CODE_SHA: make_inputs(make_stack()).models[CODE_SHA]})
    assert set(desired.frozen) == {"chat"}
    assert desired.frozen["chat"].reason == "ModelNotFetched"
    assert CHAT_SHA[:12] in desired.frozen["chat"].message


def test_a_file_on_a_claim_that_is_gone_does_not_count():
    assert {"chat", "code"} == set(build_without(cache_uid="another").frozen)


def test_downloads_wait_for_the_claim_whose_uid_names_them():
    desired = build_without(cache_uid="")
    assert desired.frozen["models"].reason == "ModelCachePending"
    assert "Job" not in {child["kind"] for child in desired.objects}
    assert "PersistentVolumeClaim" in kinds_of(desired, "models")


def test_a_model_on_a_claim_of_the_users_waits_for_nothing():
    patch = nest("models.chat.llamaCpp.source", {"http": None, "pvc": {"claimName": "m", "path": "a.gguf"}})
    assert set(build_without(patch, models={}).frozen) == {"code"}


def test_a_missing_certificate_freezes_what_leaves_the_cluster():
    patch = nest("caBundle.configMapRef", {"name": "trust", "key": "ca.crt"})
    desired = build_without(patch, config_maps={})
    assert set(desired.frozen) == {"gateway", "ingestion", "models"}
    assert desired.frozen["gateway"].reason == "ConfigMapMissing"
    assert "create it with the key ca.crt" in desired.frozen["gateway"].message


def test_an_external_role_needs_its_own_key_and_no_other():
    patch = nest("models.chat", EXTERNAL)
    keyed = nest("models.chat.external.apiKeySecretRef", {"name": "llm", "key": "k"})
    references = {(one.component, one.name) for one in secret_references(make_stack(patch, keyed))}
    assert ("gateway", "llm") in references
    assert ("chat", "demo-keys") not in references


def test_every_reference_names_its_field():
    stack = make_stack(
        nest("caBundle.secretRef", {"name": "trust", "key": "ca.crt"}),
        {"repositories": [{"name": "a", "url": "https://git.example.com/a", "credentialsSecretRef": {"name": "git"}}]},
    )
    assert all(one.field.startswith("spec.") and one.name for one in secret_references(stack))
    assert config_map_references(stack) == ()


def test_nothing_is_known_at_all():
    stack = make_stack()
    desired = build(stack, Inputs(images=make_inputs(stack).images))
    assert set(desired.frozen) == KEYED | {"models"}
