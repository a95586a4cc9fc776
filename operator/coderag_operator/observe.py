"""From a pass to the view that the conditions are made from: the stack, its live children and what was learnt."""

from collections.abc import Iterable, Mapping

from coderag_operator.api import InvalidSpec, Stack
from coderag_operator.conditions import COMPONENTS
from coderag_operator.desired import Desired, model_keys, service_url
from coderag_operator.desired.freeze import IDLE
from coderag_operator.desired.names import EMBEDDING, PREVIOUS
from coderag_operator.failover import read_revisions
from coderag_operator.observed.alive import find_alive
from coderag_operator.observed.child import COMPONENT, Child, Live
from coderag_operator.observed.components import find_stand_ins, read_component
from coderag_operator.observed.details import Pod, Workload
from coderag_operator.observed.facts import Facts
from coderag_operator.observed.index import Index
from coderag_operator.observed.outlook import UNPLANNED, Outlook
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.view import ROLES, Fetch, View
from coderag_operator.observed.vram import Measured


def observe(
    stack: Stack,
    desired: Desired,
    children: Mapping[tuple[str, str], Child],
    facts: Facts,
    problems: Iterable[Problem],
    index: Index | None,
    unfinished: bool,
    outlook: Outlook = UNPLANNED,
) -> View:
    """Return the view of a stack whose spec is valid."""
    external = frozenset(role for role in ROLES if getattr(stack.spec.models, role).external)
    return View(
        generation=stack.generation,
        components={name: read_component(name, children.values()) for name in list_components(desired, external)},
        external=external,
        frozen={name: one for name, one in desired.frozen.items() if one.reason != IDLE},
        problems=tuple(problems),
        fetches=tuple(read_fetch(role, key, facts, children.values()) for role, key in fetched_keys(stack).items()),
        stand_ins=find_stand_ins(children.values()),
        repositories=tuple(repository.name for repository in stack.spec.repositories),
        refs={repository.name: repository.refs for repository in stack.spec.repositories if repository.refs},
        index=index,
        suspended=stack.spec.suspend or stack.spec.maintenance,
        maintenance=stack.spec.maintenance and not stack.spec.suspend,
        alive=bool(find_alive(children.values())),
        roles=facts.roles,
        unfinished=unfinished,
        outlook=outlook,
        evaluation=facts.evaluation,
        measured=find_current(facts.measured, children.values(), read_revisions(desired, ROLES)),
    )


def list_components(desired: Desired, external: frozenset[str]) -> list[str]:
    """Return the components that should have a workload; the model before has one while the index needs it."""
    there = {one["metadata"]["labels"][COMPONENT] for one in desired.objects}
    return [name for name in COMPONENTS if name not in external and (name != PREVIOUS or name in there)]


def fetched_keys(stack: Stack) -> dict[str, str]:
    """Return what names the files of each model that a Job brings or looks at."""
    lodging = stack.spec.embedding.lodging
    return {**model_keys(stack), **({EMBEDDING: lodging.place} if lodging.fetched else {})}


def find_current(
    measured: Mapping[str, Measured], children: Iterable[Child], wanted: Mapping[str, str]
) -> dict[str, Measured]:
    """Return what was measured of the pods that are there now; one that is to be replaced was planned otherwise."""
    pods = {child.uid: child.details for child in children if isinstance(child.details, Pod)}
    found = {role: (one, pods[one.pod_uid]) for role, one in measured.items() if one.pod_uid in pods}
    return {role: one for role, (one, pod) in found.items() if pod.revision == wanted.get(role, pod.revision)}


def observe_invalid(
    body: Live, children: Mapping[tuple[str, str], Child], error: InvalidSpec, index: Index | None
) -> View:
    """Return the view of a stack whose spec cannot be followed: what runs is told from the children alone."""
    workloads = {child.component for child in children.values() if isinstance(child.details, Workload)}
    outside = frozenset(role for role in ROLES if "gateway" in workloads and role not in workloads)
    return View(
        generation=body["metadata"].get("generation", 0),
        components={name: read_component(name, children.values()) for name in COMPONENTS if name in workloads},
        external=outside,
        stand_ins=find_stand_ins(children.values()),
        index=index,
        invalid=str(error),
    )


def read_fetch(role: str, digest: str, facts: Facts, children: Iterable[Child]) -> Fetch:
    """Return how far the model file of a role is; a failure counts only while its Job is still there."""
    if digest in facts.models:
        return Fetch(role, True)
    failed = facts.fetches.get(digest)
    if failed is None:
        return Fetch(role, False)
    final = failed.final and any(child.uid == failed.job_uid for child in children)
    return Fetch(role, False, final, failed.reason, failed.message)


def list_endpoints(stack: Stack) -> dict[str, str]:
    """Return the addresses of a stack."""
    found = {name: service_url(stack, name) for name in ("gateway", "rag")}
    ingress = stack.spec.expose.ingress
    return {**found, **({"external": f"https://{ingress.host}"} if ingress else {})}
