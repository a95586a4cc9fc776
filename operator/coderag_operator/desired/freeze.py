"""Freeze, never guess: which components must be left as they are, because something that they need is not there."""

from collections.abc import Iterable, Mapping

from coderag_operator.api import Stack
from coderag_operator.desired import names
from coderag_operator.desired.inputs import Frozen, Inputs, SecretFact
from coderag_operator.desired.references import (
    SecretReference,
    config_map_references,
    digests,
    folder,
    local_servers,
    secret_references,
)
from coderag_operator.desired.served import find_previous, is_retiring

IDLE = "NothingToMeasure"  # a component that waits and has nothing to do either: the stack is complete without it


def frozen_components(stack: Stack, inputs: Inputs) -> dict[str, Frozen]:
    """Return the frozen components, each with the first reason found: keys and Secrets before model files."""
    reasons: dict[str, Frozen] = {}
    for component, frozen in (
        *_missing(stack, secret_references(stack), inputs.secrets, "Secret"),
        *_missing(stack, config_map_references(stack), inputs.config_maps, "ConfigMap"),
        *_unplanned(stack, inputs),
        *_unknown_claim(stack, inputs),
        *_not_fetched(stack, inputs),
        *_embedding(stack, inputs),
        *_not_indexed(stack, inputs),
    ):
        reasons.setdefault(component, frozen)
    if find_previous(stack, inputs) is None:
        reasons.pop(names.PREVIOUS, None)
    if is_retiring(stack, inputs):
        # A search goes on over the index that it began with, and a pod learns of the next one seconds later.
        reasons[names.PREVIOUS] = Frozen("PreviousAsked", f"{names.PREVIOUS} goes when no search pod asks it any more")
    return dict(sorted(reasons.items()))


def _missing(
    stack: Stack, references: Iterable[SecretReference], facts: Mapping[str, SecretFact], kind: str
) -> Iterable[tuple[str, Frozen]]:
    for reference in references:
        if frozen := _lack(stack, reference, facts.get(reference.name), kind):
            yield reference.component, frozen


def _lack(stack: Stack, reference: SecretReference, fact: SecretFact | None, kind: str) -> Frozen | None:
    if fact is None:
        return _absent(stack, reference, kind)
    if _satisfied(reference, fact.keys):
        return None
    lacking = ", ".join(key for key in reference.keys if key not in fact.keys)
    message = f"{reference.field}: {kind} {reference.name} has no key {lacking}; add {_wanted(reference)} to it"
    return Frozen(f"{kind}KeyMissing", message)


def _absent(stack: Stack, reference: SecretReference, kind: str) -> Frozen:
    if reference.name == names.keys_secret_name(stack) and not stack.spec.auth.existing_secret_ref:
        return Frozen("KeysPending", f"Secret {reference.name} is being created")
    message = f"{reference.field}: {kind} {reference.name} does not exist; create it with {_wanted(reference)}"
    return Frozen(f"{kind}Missing", message)


def _satisfied(reference: SecretReference, keys: frozenset[str]) -> bool:
    return keys.issuperset(reference.keys) or (bool(reference.or_keys) and keys.issuperset(reference.or_keys))


def _wanted(reference: SecretReference) -> str:
    options = [keys for keys in (reference.keys, reference.or_keys) if keys]
    plural = "s" if max(map(len, options)) > 1 else ""
    return f"the key{plural} " + ", or ".join(" and ".join(keys) for keys in options)


def _unplanned(stack: Stack, inputs: Inputs) -> Iterable[tuple[str, Frozen]]:
    # Both or none: a plan is for all servers on the GPU, and what runs may go on as it was planned before.
    if inputs.unplanned is not None:
        yield from ((role, inputs.unplanned) for role in local_servers(stack))


def _unknown_claim(stack: Stack, inputs: Inputs) -> Iterable[tuple[str, Frozen]]:
    if digests(stack) and not inputs.cache_uid:
        # The claim's UID is part of what a fetch Job is named by: a new, empty claim needs new Jobs.
        yield names.MODELS, Frozen("ModelCachePending", f"claim {names.cache_claim_name(stack)} is being created")
    if folder(stack) and not inputs.embedding_uid:
        yield names.MODELS, Frozen("ModelCachePending", f"claim {names.embedding_claim_name(stack)} is being created")


def _not_fetched(stack: Stack, inputs: Inputs) -> Iterable[tuple[str, Frozen]]:
    for role, digest in digests(stack).items():
        fact = inputs.models.get(digest)
        if fact is None or fact.claim_uid != inputs.cache_uid:
            yield (
                role,
                Frozen("ModelNotFetched", f"the model file of {role} (sha256 {digest[:12]}) is not on the cache yet"),
            )


def _embedding(stack: Stack, inputs: Inputs) -> Iterable[tuple[str, Frozen]]:
    lodging = stack.spec.embedding.lodging
    fact = inputs.models.get(lodging.place)
    if lodging.fetched and (fact is None or fact.claim_uid != inputs.embedding_uid):
        yield names.EMBEDDING, Frozen("ModelNotFetched", f"the files of {lodging.model} are not on their claim yet")
    previous = find_previous(stack, inputs)
    if previous is None or stack.spec.suspend or stack.spec.maintenance:
        return
    # Searches go on by the old model all the time, so it is there, and asked, before the new one takes its place.
    if names.PREVIOUS not in inputs.serving:
        text = f"the new model takes its place when {names.PREVIOUS} runs, with {previous.model} for the present index"
        yield names.EMBEDDING, Frozen("PreviousStarting", text)
    elif False in inputs.asking:
        text = f"the new model takes its place when every search pod asks {names.PREVIOUS}, too"
        yield names.EMBEDDING, Frozen("PreviousStarting", text)


def _not_indexed(stack: Stack, inputs: Inputs) -> Iterable[tuple[str, Frozen]]:
    if stack.spec.evaluation and not (inputs.indexed and names.RAG in inputs.serving):
        yield names.EVALUATION, Frozen(IDLE, "the evaluation waits until every repository is searched")
