"""One pass over a stack: gather, validate, build, plan, apply, prune, observe, conditions, one status write if changed.

Level-triggered: a pass reads what is there and what is wanted, never what happened. It may stop after any write, and
the next one carries on. Passes over different stacks run in different threads; those over one stack follow each other.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from coderag_operator.api import InvalidSpec, parse
from coderag_operator.conditions import WAITING, compute
from coderag_operator.course import find_debris, set_course
from coderag_operator.desired import ROLES, keys_secret_name
from coderag_operator.errors import Transient, Vanished
from coderag_operator.events import Notice, announce_keys, find_moves, find_notices, tell
from coderag_operator.execute import Done, Executor
from coderag_operator.failover import Pulse, earliest
from coderag_operator.gather import Children, gather
from coderag_operator.kube.cache import SETTLE_SECONDS, Memory
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import STACK
from coderag_operator.observe import list_endpoints, observe, observe_invalid
from coderag_operator.observed.child import Child, Live
from coderag_operator.observed.devices import Machines
from coderag_operator.observed.index import Index
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.roles import RoleState
from coderag_operator.observed.view import View
from coderag_operator.plan import plan
from coderag_operator.status import build_status, differs

PATIENCE = 3  # passes that may fail in a row before the status says so
LOOK_AGAIN_SECONDS = 20.0  # for what is not watched: the user's Secrets, somebody else's objects, quotas


@dataclass(frozen=True)
class Tools:
    """What every pass works with."""

    kube: Kube
    images: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    # Asked only by a stack that wants a GPU, and told whether its spec is new; by itself it knows nothing.
    machines: Callable[[bool], Machines] = lambda _: Machines()


@dataclass(frozen=True)
class Seen:
    """What the watches show of one stack when the pass begins."""

    body: Live
    children: tuple[Child, ...]
    memory: Memory
    index: Index | None = None
    failures: int = 0
    pulses: Mapping[str, Pulse] = field(default_factory=dict)  # of model servers, by the UID of their pod
    gpu_held: bool = False  # some stack has a model server


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
    roles: Mapping[str, RoleState] = field(default_factory=dict)
    moves: tuple[tuple[str, str], ...] = ()  # roles that went to the other model in this pass, and why
    wedged: tuple[str, ...] = ()  # roles whose server was replaced in this pass


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


def is_new(body: Live) -> bool:
    """Tell whether the status speaks of an earlier spec, or of none."""
    return bool((body.get("status") or {}).get("observedGeneration") != body["metadata"].get("generation"))


def follow(tools: Tools, seen: Seen, children: Children) -> Outcome:
    """Do a pass over a stack whose spec is valid."""
    stack = parse(seen.body)
    machines = partial(tools.machines, is_new(seen.body))
    gathered = gather(stack, children, tools.kube, seen.memory, tools.images, machines)
    gathered = replace(gathered, gpu_held=seen.gpu_held or has_servers(children))
    course = set_course(stack, gathered, children, seen.pulses, tools.kube, tools.now().timestamp(), seen.index)
    planned = plan(course.desired, children.values(), stack.uid, seen.memory.applied)
    executor = Executor(tools.kube, seen.memory, stack.uid, children)
    done = executor.carry_out(planned, (*course.lesson.expired, *find_debris(children.values())))
    executor.relabel(course.decision.labels, done)
    executor.end(course.decision.wedged, done)
    keys = [announce_keys(not gathered.facts.keys_uid, keys_secret_name(stack))] if gathered.new_keys else []
    told = (*keys, *tell(gathered.facts.roles, course.decision))
    outcome = Outcome(
        applied=done.applied, deleted=done.deleted, notices=told, failure=done.transient, roles=course.decision.states,
        moves=tuple(find_moves(gathered.facts.roles, course.decision.states)),
        wedged=tuple(server.role for server in course.decision.wedged),
    )  # fmt: skip
    if done.transient and seen.failures < PATIENCE:
        return outcome  # too early to tell people: most failures are gone with the next pass
    problems = (*gathered.problems, *planned.problems, *done.problems, *describe_outage(done))
    unfinished = bool(done.deleted) or is_replacing(children)
    view = observe(
        stack, course.desired, children, course.lesson.facts, problems, seen.index, unfinished, course.outlook
    )
    reported = report(tools, seen.memory, seen.body, view, list_endpoints(stack))
    due = earliest(
        course.lesson.wait, course.decision.wait, LOOK_AGAIN_SECONDS if must_look_again(view, done) else None
    )
    return replace(
        outcome, requeue_after=due, status_written=reported.status_written, conditions=reported.conditions,
        notices=(*told, *reported.notices),
    )  # fmt: skip


def has_servers(children: Children) -> bool:
    """Tell whether a model server of the stack is there or wanted, whose memory a measurement would not see as free."""
    return any(child.component in ROLES and child.kind in ("Pod", "Deployment") for child in children.values())


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
