"""From what was gathered to what should be: desired objects, lessons of the fetch Jobs, the course of the two roles."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from coderag_operator.api import Stack
from coderag_operator.api.embedding import FOLDER
from coderag_operator.capacity import plan_capacity
from coderag_operator.desired import (
    Desired,
    Frozen,
    Inputs,
    Probe,
    build,
    keys_secret_name,
    list_fetches,
    model_keys,
    probe_name,
    settle,
    uses_gpu,
)
from coderag_operator.desired.context import Context
from coderag_operator.desired.names import EVALUATION, FACTS, MODELS, object_name
from coderag_operator.failover import Decision, Pulse, Scene, decide, earliest, follow_orders, read_revisions
from coderag_operator.failover.servers import STAND_IN
from coderag_operator.gather import Children, Gathered, list_models
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import REPLICA_SET
from coderag_operator.measure import measure_servers
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Job, Pod
from coderag_operator.observed.evaluation import learn_evaluation
from coderag_operator.observed.facts import Facts, write_facts
from coderag_operator.observed.fetches import Lesson, learn
from coderag_operator.observed.index import Index, Served
from coderag_operator.observed.lessons import learn_memory
from coderag_operator.observed.live_model import learn_live
from coderag_operator.observed.outlook import MEASURING, Outlook
from coderag_operator.observed.probes import learn_gpu
from coderag_operator.observed.vram import Measurement, Shortfall
from coderag_operator.sharing import Sharing

JOB = "Job"


@dataclass(frozen=True)
class Course:
    """What should exist, what was learnt, what follows for the two roles, and how the GPU's memory is planned."""

    desired: Desired
    lesson: Lesson
    decision: Decision
    outlook: Outlook


def set_course(
    stack: Stack,
    gathered: Gathered,
    children: Children,
    pulses: Mapping[str, Pulse],
    kube: Kube,
    now: float,
    index: Index | None = None,
) -> Course:
    """Return what should be; a model that has just arrived counts at once."""
    lesson = learn_index(stack, learn_fetches(stack, gathered, children, now), index)
    outlook, facts, probe = plan_memory(stack, gathered, lesson.facts, children, kube)
    inputs = replace(fill_in(gathered.inputs, facts, outlook, probe), indexed=is_indexed(stack, index))
    desired = build(stack, inputs)
    decision = decide(
        Scene(
            settle(stack, inputs.shapes, uses_gpu(stack, inputs)), tuple(children.values()), gathered.facts.roles,
            read_revisions(desired, STAND_IN), inputs.models, pulses, desired.stopped, now, inputs.sizes,
        )
    )  # fmt: skip
    templates = read_templates(stack, decision, kube)
    desired = follow_orders(desired, decision.orders, decision.states, templates)
    found = learn_evaluation(facts.evaluation, list_pods(children)) if stack.spec.evaluation else None
    facts = replace(facts, roles=decision.states, evaluation=found)
    return Course(add_facts(stack, desired, facts), replace(lesson, facts=facts), decision, outlook)


def learn_fetches(stack: Stack, gathered: Gathered, children: Children, now: float) -> Lesson:
    """Return what the fetch Jobs tell, with the UID of the keys Secret that is ours."""
    wanted = list_fetches(stack, gathered.inputs)
    jobs = [child for child in children.values() if child.kind == JOB and child.name in wanted]
    uids = {False: gathered.inputs.cache_uid, True: gathered.inputs.embedding_uid}
    lesson = join(*(
        learn(select_facts(gathered.facts, folders), select_jobs(jobs, folders), list_pods(children), uid, now)
        for folders, uid in uids.items()
    ))  # fmt: skip
    keys = children.get(("Secret", keys_secret_name(stack)))
    named = set(model_keys(stack).values())
    facts = replace(
        lesson.facts,
        keys_uid=keys.uid if keys and keys.owner == stack.uid else "",
        # A header is some KiB, and read again in seconds: those of former models would fill the ConfigMap one day.
        geometries={key: reading for key, reading in lesson.facts.geometries.items() if key in named},
    )
    return replace(lesson, facts=facts)


def select_facts(facts: Facts, folders: bool) -> Facts:
    """Return the facts with those of fetched files that are, or are not, files of embedding models."""
    return replace(
        facts,
        models={key: model for key, model in facts.models.items() if key.startswith(FOLDER) == folders},
        fetches={key: failed for key, failed in facts.fetches.items() if key.startswith(FOLDER) == folders},
    )


def select_jobs(jobs: Iterable[Child], folders: bool) -> list[Child]:
    """Return the Jobs that fetch, or do not fetch, files of embedding models."""
    return [one for one in jobs if isinstance(one.details, Job) and one.details.digest.startswith(FOLDER) == folders]


def join(one: Lesson, other: Lesson) -> Lesson:
    """Return what two lessons tell of different files."""
    facts = replace(
        one.facts,
        models={**one.facts.models, **other.facts.models},
        fetches={**one.facts.fetches, **other.facts.fetches},
    )
    return Lesson(facts, (*one.expired, *other.expired), earliest(one.wait, other.wait))


def learn_index(stack: Stack, lesson: Lesson, index: Index | None) -> Lesson:
    """Return the lesson with the embedding model of the index that answers; without repositories there is none."""
    wanted = stack.spec.embedding.lodging
    live = learn_live(lesson.facts.live, index.served if index else Served(), wanted)
    return replace(lesson, facts=replace(lesson.facts, live=live if stack.spec.repositories else None))


def is_indexed(stack: Stack, index: Index | None) -> bool:
    """Tell whether every repository has a commit that searches see."""
    served = {one.name for one in index.repositories if one.commit} if index else set()
    return served.issuperset(one.name for one in stack.spec.repositories)


def plan_memory(
    stack: Stack, gathered: Gathered, facts: Facts, children: Children, kube: Kube
) -> tuple[Outlook, Facts, Probe | None]:
    """Return the plan of the GPU's memory, the facts with what its servers measured and taught, and what to measure."""
    sharing = gathered.inputs.sharing or Sharing("None", "nothing is known of the GPU")
    pods = list_pods(children)
    facts = replace(facts, gpus=learn_gpus(stack, gathered, facts, children))
    known = facts.gpus.get(probe_name(sharing.measurable, sharing.driver))
    outlook = plan_capacity(stack, sharing, facts.geometries, facts.shortfalls, known)
    measured = measure_servers(outlook, facts.measured, pods, kube)
    shortfalls = learn_shortfalls(stack, gathered, replace(facts, measured=measured), outlook, pods)
    if shortfalls != facts.shortfalls:
        outlook = plan_capacity(stack, sharing, facts.geometries, shortfalls, known)
    probe = find_probe(stack, gathered, facts)
    if probe is not None:
        outlook = MEASURING
    # What runs was planned so: while a new plan is refused, everything that speaks of the servers goes on with the old.
    shapes = facts.shapes if outlook.blocked else outlook.shapes
    return outlook, replace(facts, measured=measured, shortfalls=shortfalls, shapes=shapes), probe


def learn_shortfalls(
    stack: Stack, gathered: Gathered, facts: Facts, outlook: Outlook, pods: list[Child]
) -> dict[str, Shortfall]:
    """Return what fell short; a server that was started otherwise than planned now tells nothing about this plan."""
    if learn_memory(facts.shortfalls, facts.measured, outlook, pods) == facts.shortfalls:
        return dict(facts.shortfalls)  # as in nearly every pass: nothing has to be built to tell the servers apart
    inputs = fill_in(gathered.inputs, replace(facts, shapes=outlook.shapes), outlook, None)
    wanted = read_revisions(build(stack, inputs), STAND_IN)
    planned = [
        pod for pod in pods if isinstance(pod.details, Pod) and pod.details.revision == wanted.get(pod.component)
    ]
    uids = {pod.uid for pod in planned}
    measured = {role: one for role, one in facts.measured.items() if one.pod_uid in uids}
    return learn_memory(facts.shortfalls, measured, outlook, planned)


def learn_gpus(stack: Stack, gathered: Gathered, facts: Facts, children: Children) -> dict[str, Measurement]:
    """Return what was measured of GPUs; each node is measured once for each version of its driver."""
    sharing = gathered.inputs.sharing
    if sharing is None or gathered.gpu_held:  # by a server that has come since, and may be in what was measured
        return dict(facts.gpus)
    name = probe_name(sharing.measurable, sharing.driver)
    job = children.get((JOB, object_name(stack, f"probe-{name}")))
    found = learn_gpu(job, list_pods(children), sharing.measurable, sharing.driver)
    return {**facts.gpus, **({name: found} if found and name not in facts.gpus else {})}


def find_probe(stack: Stack, gathered: Gathered, facts: Facts) -> Probe | None:
    """Return which GPU has to be measured before anything can be planned; only one that no model server holds."""
    sharing = gathered.inputs.sharing
    if sharing is None or not sharing.measurable or sharing.problem or stack.spec.gpu.budget_mib is not None:
        return None
    name = probe_name(sharing.measurable, sharing.driver)
    idle = not gathered.gpu_held and not stack.spec.suspend and not stack.spec.maintenance
    return Probe(sharing.measurable, name) if idle and name not in facts.gpus else None


def fill_in(inputs: Inputs, facts: Facts, outlook: Outlook, probe: Probe | None) -> Inputs:
    """Return the inputs with what this pass has learnt."""
    unplanned = Frozen(outlook.reason, outlook.message) if outlook.blocked else None
    sizes = size_servers(outlook)
    models = list_models(facts)
    live = facts.live.lodging if facts.live else None
    return replace(inputs, models=models, shapes=facts.shapes, unplanned=unplanned, sizes=sizes, probe=probe, live=live)


def size_servers(outlook: Outlook) -> dict[str, int]:
    """Return what each planned server takes of the GPU, in MiB: what it took beyond the plan before is its too."""
    models = outlook.plan.models if outlook.plan else {}
    return {role: math.ceil(model.estimate.total_mib) + outlook.missing.get(role, 0) for role, model in models.items()}


def list_pods(children: Children) -> list[Child]:
    """Return the pods of a stack."""
    return [child for child in children.values() if child.kind == "Pod"]


def read_templates(stack: Stack, decision: Decision, kube: Kube) -> dict[str, Mapping[str, Any]]:
    """Return the pod templates that rollbacks restore, by the name of their ReplicaSet."""
    names = {order.restore for order in decision.orders.values() if order.restore}
    found = {name: kube.get(REPLICA_SET, stack.namespace, name) for name in sorted(names)}
    return {name: live["spec"]["template"] for name, live in found.items() if live}


def find_debris(children: Iterable[Child]) -> list[Child]:
    """Return the pods that ended and that their workload has replaced: a node that restarts leaves some behind."""
    return [
        child
        for child in children
        if isinstance(child.details, Pod)
        and child.details.phase == "Failed"
        and child.component not in (MODELS, EVALUATION)  # what they say is still read
        and not child.deleting
    ]


def add_facts(stack: Stack, desired: Desired, facts: Facts) -> Desired:
    """Return the desired objects with the facts ConfigMap among them, when there are facts."""
    data = write_facts(facts)
    if not data:
        return desired
    manifest = Context(stack, Inputs({})).manifest("v1", "ConfigMap", FACTS, data=data)
    return replace(desired, objects=(manifest, *desired.objects))
