"""Specs, stacks and inputs that the tests of the pure half start from. e2e reads the tables beside it as well."""

import copy
from collections.abc import Iterable
from typing import Any

from coderag_operator.api import Stack, parse
from coderag_operator.desired import (
    IMAGES,
    Inputs,
    ModelFact,
    SecretFact,
    SecretReference,
    config_map_references,
    digests,
    secret_references,
)

CHAT_SHA, CODE_SHA = "a" * 64, "b" * 64
CACHE_UID, EMBEDDING_UID = "cache-uid", "embedding-uid"

BASE: dict[str, Any] = {
    "gpu": {"sharing": "TimeSlicing"},
    "models": {
        "chat": {"llamaCpp": {"source": {"http": {"url": "https://hub.example.com/chat.gguf", "sha256": CHAT_SHA}}}},
        "code": {"llamaCpp": {"source": {"http": {"url": "https://hub.example.com/code.gguf", "sha256": CODE_SHA}}}},
    },
    "repositories": [{"name": "app", "url": "https://git.example.com/team/app.git"}],
}
PVC_SOURCE = {"http": None, "pvc": {"claimName": "models", "path": "chat.gguf"}}
APP = BASE["repositories"][0]
FILES = {
    "url": "https://hub.example.com/kure",
    "files": [{"path": "tokenizer.json", "sha256": "1" * 64}, {"path": "model_int8.onnx", "sha256": "2" * 64}],
}
MULTILINGUAL = {"embedding": {"profile": "multilingual", "source": {"http": FILES}}}
EVALUATION = {"evaluation": {"questions": {"configMapRef": {"name": "questions", "key": "all.jsonl"}}}}
EXTERNAL = {"llamaCpp": None, "external": {"baseUrl": "https://llm.example.com/v1", "model": "big"}}


def merge(document: Any, patch: Any) -> Any:
    """Return the document after an RFC 7386 merge patch; a whole list replaces a list."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def nest(path: str, value: Any) -> dict[str, Any]:
    """Return the patch that sets one dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def make_body(spec: Any, name: str = "demo") -> dict[str, Any]:
    """Return the object that the API server would hold."""
    metadata = {"name": name, "namespace": "team", "uid": "stack-uid", "generation": 1}
    return {"apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "metadata": metadata, "spec": spec}


def make_stack(*patches: dict[str, Any], name: str = "demo") -> Stack:
    """Return the base stack after some patches."""
    spec = BASE
    for patch in patches:
        spec = merge(spec, patch)
    return parse(make_body(spec, name))


def make_inputs(stack: Stack) -> Inputs:
    """Return inputs with everything that the stack needs: nothing of it is frozen."""
    return Inputs(
        images={name: f"registry.example.com/coderag-{name}:1.0.0" for name in IMAGES},
        secrets=_facts(secret_references(stack)),
        config_maps=_facts(config_map_references(stack)),
        models={digest: ModelFact(CACHE_UID, 1) for digest in digests(stack).values()}
        | {stack.spec.embedding.lodging.place: ModelFact(EMBEDDING_UID, 1)},
        cache_uid=CACHE_UID,
        embedding_uid=EMBEDDING_UID,
        indexed=True,
        serving=frozenset({"rag"}),
    )


def _facts(references: Iterable[SecretReference]) -> dict[str, SecretFact]:
    keys: dict[str, set[str]] = {}
    for reference in references:
        keys.setdefault(reference.name, set()).update(reference.keys)
    return {name: SecretFact(f"checksum-of-{name}", frozenset(found)) for name, found in keys.items()}
