"""The first step of a pass: everything that has to be read before the desired state can be built."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from coderag_operator.api import Stack
from coderag_operator.desired import (
    KEY_NAMES,
    Inputs,
    ModelFact,
    SecretFact,
    SecretReference,
    cache_claim_name,
    config_map_references,
    embedding_claim_name,
    facts_name,
    keys_secret_name,
    secret_references,
)
from coderag_operator.desired.context import Context
from coderag_operator.desired.gpu import gpu_servers
from coderag_operator.desired.names import KEYS
from coderag_operator.kube.cache import Memory
from coderag_operator.kube.client import Kube, Manifest
from coderag_operator.kube.kinds import BY_NAME, SECRET
from coderag_operator.observed.alive import find_alive, find_asking, find_serving
from coderag_operator.observed.child import Child, project
from coderag_operator.observed.details import Data
from coderag_operator.observed.devices import Machines
from coderag_operator.observed.facts import Facts, read_facts
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.sharing import choose_sharing
from coderag_operator.sharing import Sharing

KEY_BYTES = 32  # 43 characters, URL-safe
Children = dict[tuple[str, str], Child]


@dataclass(frozen=True)
class Gathered:
    """What was read, and what stood in the way."""

    inputs: Inputs
    facts: Facts
    problems: tuple[Problem, ...] = ()
    new_keys: bool = False
    gpu_held: bool = False  # by a model server, of whichever stack


def gather(
    stack: Stack,
    children: Children,
    kube: Kube,
    memory: Memory,
    images: Mapping[str, str],
    machines: Callable[[], Machines] = Machines,
) -> Gathered:
    """Read what `build` needs; make the keys Secret when there is none. `children` gains what is made."""
    facts = find_facts(stack, children)
    new_keys, problems = ensure_keys(stack, children, kube, memory)
    inputs = Inputs(
        images=images,
        secrets=read_references(stack, secret_references(stack), "Secret", children, kube),
        config_maps=read_references(stack, config_map_references(stack), "ConfigMap", children, kube),
        models=list_models(facts),
        cache_uid=find_claim_uid(cache_claim_name(stack), children),
        embedding_uid=find_claim_uid(embedding_claim_name(stack), children),
        live=facts.live.lodging if facts.live else None,
        serving=find_serving(children.values()),
        asking=find_asking(children.values()),
        alive=find_alive(children.values()),
        sharing=read_sharing(stack, machines),
    )
    return Gathered(inputs, facts, problems, new_keys)


def find_facts(stack: Stack, children: Children) -> Facts:
    """Return the facts that the stack's ConfigMap holds."""
    child = children.get(("ConfigMap", facts_name(stack)))
    return read_facts(child.details.values) if child and isinstance(child.details, Data) else Facts()


def read_sharing(stack: Stack, machines: Callable[[], Machines]) -> Sharing:
    """Return how the model servers get at the GPU; nodes are looked at for those alone that want one."""
    servers = len(gpu_servers(stack))
    known = machines() if servers else Machines()
    return choose_sharing(stack.spec.gpu, known.nodes, known.devices, servers)


def list_models(facts: Facts) -> dict[str, ModelFact]:
    """Return the fetched model files as `build` takes them."""
    return {
        digest: ModelFact(model.claim_uid, model.size_bytes, model.header) for digest, model in facts.models.items()
    }


def find_claim_uid(name: str, children: Children) -> str:
    """Return the UID of a live claim, empty while there is none."""
    child = children.get(("PersistentVolumeClaim", name))
    return child.uid if child and not child.deleting else ""


def read_references(
    stack: Stack, references: Iterable[SecretReference], kind: str, children: Children, kube: Kube
) -> dict[str, SecretFact]:
    """Return a checksum and the key names of every object that is referred to and exists.

    The user's own carry no label of ours and are not watched: they are read on each pass.
    """
    found = {}
    for name in sorted({reference.name for reference in references}):
        child = children.get((kind, name)) or read_child(kube, kind, stack.namespace, name)
        if child and isinstance(child.details, Data) and is_usable(child, stack):
            found[name] = SecretFact(child.details.checksum, child.details.keys)
    return found


def is_usable(child: Child, stack: Stack) -> bool:
    """Tell whether an object will still be there: not one that goes, nor one that a former stack leaves behind."""
    return not child.deleting and (not child.stack or child.owner in ("", stack.uid))


def read_child(kube: Kube, kind: str, namespace: str, name: str) -> Child | None:
    """Return the projection of an object that is not watched, None when there is none."""
    live = kube.get(BY_NAME[kind], namespace, name)
    return project({**live, "kind": kind}) if live is not None else None


def ensure_keys(stack: Stack, children: Children, kube: Kube, memory: Memory) -> tuple[bool, tuple[Problem, ...]]:
    """Create the keys Secret when the stack needs one of its own and there is none.

    Created and never applied: what is in it is never read back into a manifest, so it cannot be printed or overwritten.
    """
    if stack.spec.auth.existing_secret_ref:
        return False, ()
    name = keys_secret_name(stack)
    child = children.get(("Secret", name))
    if child is not None and child.owner in ("", stack.uid):
        return False, ()
    if child is None:
        made = kube.create(build_keys(stack))
        if made is not None:
            children["Secret", name] = memory.keep_created({**made, "kind": SECRET.name})
            return True, ()
        child = read_child(kube, SECRET.name, stack.namespace, name)
    if child is not None and child.stack == stack.name and child.owner == stack.uid:
        children["Secret", name] = child
        return False, ()
    return False, (describe_foreign(name),)


def describe_foreign(name: str) -> Problem:
    """Return the problem that a Secret of the keys' name is in the way."""
    text = (
        f"Secret {name} exists and is not this stack's; it disappears by itself if a stack of this name was deleted "
        "just now, otherwise name it in spec.auth.existingSecretRef or delete it"
    )
    return Problem(KEYS, SECRET.name, name, "NameTaken", text)


def build_keys(stack: Stack) -> Manifest:
    """Return a keys Secret with random values."""
    values = {key: secrets.token_urlsafe(KEY_BYTES) for key in KEY_NAMES}
    return Context(stack, Inputs({})).manifest("v1", SECRET.name, KEYS, stringData=values, type="Opaque")
