"""From what was gathered to what should be: desired objects, lessons of the fetch Jobs, the course of the two roles."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from coderag_operator.api import Stack
from coderag_operator.desired import Desired, Inputs, build, keys_secret_name
from coderag_operator.desired.context import Context
from coderag_operator.desired.names import FACTS, MODELS
from coderag_operator.desired.settled import settle
from coderag_operator.failover import Decision, Pulse, Scene, decide, follow_orders, read_revisions
from coderag_operator.failover.servers import STAND_IN
from coderag_operator.gather import Children, Gathered, list_models
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import REPLICA_SET
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod
from coderag_operator.observed.facts import Facts, write_facts
from coderag_operator.observed.fetches import Lesson, learn

JOB = "Job"


@dataclass(frozen=True)
class Course:
    """What should exist, what the fetch Jobs taught, and what follows for the two roles."""

    desired: Desired
    lesson: Lesson
    decision: Decision


def set_course(
    stack: Stack, gathered: Gathered, children: Children, pulses: Mapping[str, Pulse], kube: Kube, now: float
) -> Course:
    """Return what should be; a model that has just arrived counts at once."""
    desired = build(stack, gathered.inputs)
    lesson = learn_fetches(stack, gathered, desired, children, now)
    if lesson.facts.models != gathered.facts.models:
        inputs = replace(gathered.inputs, models=list_models(lesson.facts))
        gathered, desired = replace(gathered, inputs=inputs), build(stack, inputs)
    decision = decide(
        Scene(
            settle(stack, gathered.inputs.shapes), tuple(children.values()), gathered.facts.roles, read_revisions(desired, STAND_IN),
            gathered.inputs.models, pulses, desired.stopped, now,
        )
    )  # fmt: skip
    templates = read_templates(stack, decision, kube)
    desired = follow_orders(desired, decision.orders, decision.states, templates)
    facts = replace(lesson.facts, roles=decision.states)
    return Course(add_facts(stack, desired, facts), replace(lesson, facts=facts), decision)


def learn_fetches(stack: Stack, gathered: Gathered, desired: Desired, children: Children, now: float) -> Lesson:
    """Return what the fetch Jobs tell, with the UID of the keys Secret that is ours."""
    wanted = {one["metadata"]["name"] for one in desired.objects if one["kind"] == JOB}
    jobs = [child for child in children.values() if child.kind == JOB and child.name in wanted]
    pods = [child for child in children.values() if child.kind == "Pod"]
    lesson = learn(gathered.facts, jobs, pods, gathered.inputs.cache_uid, now)
    keys = children.get(("Secret", keys_secret_name(stack)))
    return replace(lesson, facts=replace(lesson.facts, keys_uid=keys.uid if keys and keys.owner == stack.uid else ""))


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
        and child.component != MODELS
        and not child.deleting
    ]


def add_facts(stack: Stack, desired: Desired, facts: Facts) -> Desired:
    """Return the desired objects with the facts ConfigMap among them, when there are facts."""
    data = write_facts(facts)
    if not data:
        return desired
    manifest = Context(stack, Inputs({})).manifest("v1", "ConfigMap", FACTS, data=data)
    return replace(desired, objects=(manifest, *desired.objects))
