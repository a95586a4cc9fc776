"""What one pass has to write: desired objects against the children that are there. Pure; the pass carries it out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coderag_operator.desired import Desired
from coderag_operator.observed.child import COMPONENT, Child, digest
from coderag_operator.observed.details import Claim, Devices, Workload
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.quantity import parse_quantity

Manifest = Mapping[str, Any]
Name = tuple[str, str]
# Secrets are never pruned: the operator has no right to delete one. Pods belong to their workloads.
PRUNABLE = {
    "Deployment", "StatefulSet", "Job", "CronJob", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount", "Service",
    "Ingress", "NetworkPolicy", "PodDisruptionBudget", "ResourceClaim",
}  # fmt: skip

NEVER_NEEDED = {
    "Ingress",
    "Job",
    "CronJob",
}  # surplus ones go even while a component is frozen: nothing in the stack uses them


@dataclass(frozen=True, slots=True)
class Step:
    """One object to apply; `revision` is the one it replaces, empty when the object is new."""

    manifest: Manifest
    digest: str
    revision: str = ""

    @property
    def key(self) -> Name:
        """Return kind and name of the object."""
        return name_of(self.manifest)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to apply, what to delete, and what must not be touched."""

    apply: tuple[Step, ...]
    prune: tuple[Child, ...]
    problems: tuple[Problem, ...]
    stop: tuple[Child, ...] = ()


def plan(desired: Desired, children: Iterable[Child], owner: str, applied: Mapping[Name, tuple[str, str]]) -> Plan:
    """Return the writes that bring the children of the stack with this UID to their desired state.

    `applied` holds, for every object this process has applied, the revision that came back and the digest of the body:
    an object that still has that revision and shall have that body is left alone.
    """
    live = {child.key: child for child in children}
    steps: list[Step] = []
    problems: list[Problem] = []
    for manifest in desired.objects:
        child = live.get(name_of(manifest))
        problem = child and find_problem(manifest, child, owner)
        if problem:
            problems.append(problem)
        elif not (child and child.deleting):  # a deleted object comes back when it is gone
            steps.extend(plan_apply(manifest, child, applied))
    stop = plan_stop(desired, live.values(), owner)
    return Plan(tuple(steps), plan_prune(desired, live.values(), owner), tuple(problems), stop)


def plan_stop(desired: Desired, children: Iterable[Child], owner: str) -> tuple[Child, ...]:
    """Return the workloads that are left as they are for want of an input, and are to have no pods all the same."""
    surplus = desired.stopped & desired.frozen.keys()
    return tuple(
        child
        for child in children
        if isinstance(child.details, Workload)
        and child.owner == owner
        and child.component in surplus
        and child.details.wanted > 0
    )


def plan_apply(manifest: Manifest, child: Child | None, applied: Mapping[Name, tuple[str, str]]) -> Sequence[Step]:
    """Return the step that applies an object, nothing when it is as this process left it."""
    revision, wanted = child.revision if child else "", digest(manifest)
    if child and applied.get(child.key) == (revision, wanted):
        return ()
    return (Step(manifest, wanted, revision),)


def plan_prune(desired: Desired, children: Iterable[Child], owner: str) -> tuple[Child, ...]:
    """Return the children that are ours by controller UID, no longer desired and not frozen.

    While anything is frozen, surplus workloads and what belongs to them stay: what is frozen may still use them.
    """
    wanted = {name_of(manifest) for manifest in desired.objects}
    kinds = NEVER_NEEDED if desired.frozen else PRUNABLE
    surplus = (
        child
        for child in children
        if child.kind in kinds
        and child.owner == owner
        and child.component not in desired.frozen
        and child.key not in wanted
        and not child.deleting
        and not (isinstance(child.details, Devices) and child.details.in_use)
    )
    return tuple(sorted(surplus, key=lambda child: child.key))


def find_problem(manifest: Manifest, child: Child, owner: str) -> Problem | None:
    """Return why a live object cannot be brought to its desired state, None when it can."""
    if child.owner not in ("", owner):
        return describe(
            manifest,
            "NameTaken",
            "belongs to another controller; it disappears by itself if a stack of this name was deleted just now, "
            "otherwise delete it or give the stack another name",
        )
    if isinstance(child.details, Workload | Devices):
        return find_immutable(manifest, child.details.frozen_fields)
    if isinstance(child.details, Claim):
        return find_shrink(manifest, child.details)
    return None


def find_immutable(manifest: Manifest, live: Manifest) -> Problem | None:
    """Return a problem when a field that Kubernetes never changes would have to change."""
    for name, value in live.items():
        if not contains(value, manifest["spec"].get(name, value)):
            return describe(
                manifest,
                "ImmutableFieldChanged",
                f"spec.{name} cannot change; delete the object and it comes back as wanted",
            )
    return None


def find_shrink(manifest: Manifest, live: Claim) -> Problem | None:
    """Return a problem when a volume claim would have to become smaller."""
    wanted = manifest["spec"]["resources"]["requests"]["storage"]
    if live.requested and parse_quantity(wanted) < parse_quantity(live.requested):
        text = f"has {live.requested} and cannot shrink to {wanted}; ask for {live.requested} or more"
        return describe(manifest, "ClaimCannotShrink", text)
    return None


def contains(live: Any, wanted: Any) -> bool:
    """Tell whether a live value, with the API server's defaults in it, is what is wanted."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(name in live and contains(live[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return bool(live == wanted)


def describe(manifest: Manifest, reason: str, text: str) -> Problem:
    """Return a problem of an object; the message starts with what the object is."""
    kind, name = name_of(manifest)
    return Problem(manifest["metadata"]["labels"][COMPONENT], kind, name, reason, f"{kind} {name}: {text}")


def name_of(manifest: Manifest) -> Name:
    """Return kind and name of a manifest."""
    return manifest["kind"], manifest["metadata"]["name"]
