"""One pass over a stack: gather, validate, build, plan, apply, prune, observe, conditions, one status write if changed.

Level-triggered: a pass reads what is there and what is wanted, never what happened. It may stop after any write, and
the next one carries on. Passes over different stacks run in different threads; those over one stack follow each other.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from coderag_operator.api import InvalidSpec, Stack, parse
from coderag_operator.conditions import WAITING, compute
from coderag_operator.desired import Desired, Inputs, build, keys_secret_name
from coderag_operator.desired.context import Context
from coderag_operator.desired.names import FACTS
from coderag_operator.errors import Transient, Vanished
from coderag_operator.events import Notice, announce_keys, find_notices
from coderag_operator.execute import Done, Executor
from coderag_operator.gather import Children, Gathered, gather, list_models
from coderag_operator.kube.cache import SETTLE_SECONDS, Memory
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import STACK
from coderag_operator.observe import list_endpoints, observe, observe_invalid
from coderag_operator.observed.child import Child, Live
from coderag_operator.observed.facts import Facts, write_facts
from coderag_operator.observed.fetches import Lesson, learn
from coderag_operator.observed.index import Index
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.view import View
from coderag_operator.plan import plan
from coderag_operator.status import build_status, differs

PATIENCE = 3  # passes that may fail in a row before the status says so
LOOK_AGAIN_SECONDS = 20.0  # for what is not watched: the user's Secrets, somebody else's objects, quotas
JOB = "Job"


@dataclass(frozen=True)
class Tools:
    """What every pass works with."""

    kube: Kube
    images: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Seen:
    """What the watches show of one stack when the pass begins."""

    body: Live
    children: tuple[Child, ...]
    memory: Memory
    index: Index | None = None
    failures: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a pass did, and when the next one is due if nothing happens before."""

    requeue_after: float | None = None
    applied: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    status_written: bool = False
    notices: tuple[Notice, ...] = ()
    conditions: tuple[Mapping[str, Any], ...] = ()
    failure: Transient | None = None


def reconcile(tools: Tools, seen: Seen) -> Outcome:
    """Bring a stack closer to its spec and its status to the truth."""
    body = seen.memory.read_stack(seen.body)
    if "deletionTimestamp" in body["metadata"]:  # no finalizer: its children go by their owner references
        return Outcome()
    visible, hidden = seen.memory.read_children(seen.children)
    children = {child.key: child for child in visible}
    try:
        outcome = follow(tools, replace(seen, body=body), children)
    except InvalidSpec as error:
        outcome = report(tools, seen.memory, body, observe_invalid(body, children, error, seen.index), {})
    except Vanished:  # the namespace or the stack is going away: there is nothing left to do
        return Outcome()
    return replace(outcome, requeue_after=earliest(outcome.requeue_after, SETTLE_SECONDS if hidden else None))


def follow(tools: Tools, seen: Seen, children: Children) -> Outcome:
    """Do a pass over a stack whose spec is valid."""
    stack = parse(seen.body)
    gathered = gather(stack, children, tools.kube, seen.memory, tools.images)
    desired, lesson = decide(stack, gathered, children, tools.now().timestamp())
    planned = plan(desired, children.values(), stack.uid, seen.memory.applied)
    done = Executor(tools.kube, seen.memory, stack.uid, children).carry_out(planned, lesson.expired)
    keys = [announce_keys(not gathered.facts.keys_uid, keys_secret_name(stack))] if gathered.new_keys else []
    outcome = Outcome(applied=done.applied, deleted=done.deleted, notices=tuple(keys), failure=done.transient)
    if done.transient and seen.failures < PATIENCE:
        return outcome  # too early to tell people: most failures are gone with the next pass
    problems = (*gathered.problems, *planned.problems, *done.problems, *describe_outage(done))
    view = observe(
        stack, desired, children, lesson.facts, problems, seen.index, bool(done.deleted) or is_replacing(children)
    )
    reported = report(tools, seen.memory, seen.body, view, list_endpoints(stack))
    due = earliest(lesson.wait, LOOK_AGAIN_SECONDS if must_look_again(view, done) else None)
    return replace(
        reported, requeue_after=due, applied=done.applied, deleted=done.deleted, notices=(*keys, *reported.notices),
        failure=done.transient,
    )  # fmt: skip


def decide(stack: Stack, gathered: Gathered, children: Children, now: float) -> tuple[Desired, Lesson]:
    """Return what should exist, and what the fetch Jobs taught; a model that has just arrived counts at once."""
    desired = build(stack, gathered.inputs)
    wanted = {one["metadata"]["name"] for one in desired.objects if one["kind"] == JOB}
    jobs = [child for child in children.values() if child.kind == JOB and child.name in wanted]
    pods = [child for child in children.values() if child.kind == "Pod"]
    lesson = learn(gathered.facts, jobs, pods, gathered.inputs.cache_uid, now)
    keys = children.get(("Secret", keys_secret_name(stack)))
    facts = replace(lesson.facts, keys_uid=keys.uid if keys and keys.owner == stack.uid else "")
    if facts.models != gathered.facts.models:
        desired = build(stack, replace(gathered.inputs, models=list_models(facts)))
    return add_facts(stack, desired, facts), replace(lesson, facts=facts)


def add_facts(stack: Stack, desired: Desired, facts: Facts) -> Desired:
    """Return the desired objects with the facts ConfigMap among them, when there are facts."""
    data = write_facts(facts)
    if not data:
        return desired
    manifest = Context(stack, Inputs({})).manifest("v1", "ConfigMap", FACTS, data=data)
    return replace(desired, objects=(manifest, *desired.objects))


def report(tools: Tools, memory: Memory, body: Live, view: View, endpoints: Mapping[str, str]) -> Outcome:
    """Write the status if it says anything new."""
    before = body.get("status") or {}
    now = tools.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = compute(view, before.get("conditions") or (), now)
    status = build_status(view, conditions, before, endpoints, now)
    if not differs(status, before):
        return Outcome(conditions=tuple(conditions))
    named = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
    manifest = {"apiVersion": STACK.api_version, "kind": STACK.name, "metadata": named, "status": status}
    memory.keep_stack(tools.kube.apply_status(manifest))
    notices = find_notices(before.get("conditions") or (), conditions)
    return Outcome(status_written=True, notices=notices, conditions=tuple(conditions))


def must_look_again(view: View, done: Done) -> bool:
    """Tell whether something is in the way that no watch will announce when it is gone."""
    unwatched = any(frozen.reason not in WAITING for frozen in view.frozen.values())
    return unwatched or done.blocked or any(one.reason == "NameTaken" for one in view.problems)


def describe_outage(done: Done) -> tuple[Problem, ...]:
    """Return the problem that the API server has not taken our writes for several passes."""
    if done.transient is None:
        return ()
    text = f"the API server does not take changes at the moment: {done.transient.message}"
    return (Problem("", "", "", "ApiUnavailable", text, needs_person=False),)


def is_replacing(children: Children) -> bool:
    """Tell whether a child is on its way out; pods come and go by themselves."""
    return any(child.deleting for child in children.values() if child.kind != "Pod")


def earliest(*times: float | None) -> float | None:
    """Return the smallest of several delays, None when there is none."""
    return min((time for time in times if time is not None), default=None)
