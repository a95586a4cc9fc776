"""The step of a pass that writes: a plan carried out object by object, one failure in nobody's way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from coderag_operator.errors import Blocked, Failure, Terminal, Transient, Unserved, Vanished
from coderag_operator.failover.labels import Relabel
from coderag_operator.failover.servers import Server
from coderag_operator.kube.cache import Memory
from coderag_operator.kube.client import Kube, Manifest
from coderag_operator.kube.kinds import BY_NAME, POD, Kind
from coderag_operator.observed.child import COMPONENT, MANAGED_BY, MANAGER, STACK, Child, Live, read_owner
from coderag_operator.observed.problem import Problem
from coderag_operator.plan import Plan, Step

Children = dict[tuple[str, str], Child]
WEDGED_GRACE = 1  # seconds: what it holds is lost already
HOPELESS = {"Unreachable", "TooManyRequests", "Timeout"}  # the next call would end in the same way


@dataclass
class Done:
    """What was written, what was refused, and the first failure that is worth another try."""

    applied: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    transient: Transient | None = None
    blocked: bool = False


@dataclass(frozen=True)
class Executor:
    """Writes for one stack; `children` is kept at what the API server returned."""

    kube: Kube
    memory: Memory
    uid: str
    children: Children

    def carry_out(self, plan: Plan, expired: Iterable[Child]) -> Done:
        """Apply and delete what the plan says, and delete the Jobs that are to run again and the pods that ended."""
        done = Done()
        for step in plan.apply:
            if done.transient and done.transient.reason in HOPELESS:
                return done
            self._try(step, done)
        for child in plan.stop:
            none = {"spec": {"replicas": 0}}
            done.applied[child.kind] += self._merge(
                BY_NAME[child.kind], child.namespace, child.name, none, child.component, done
            )
        for child in (*plan.prune, *expired):
            self._delete(child, done)
        return done

    def relabel(self, changes: Iterable[Relabel], done: Done) -> None:
        """Put labels on pods and take them away; a label that could not be put on keeps the others where they are."""
        for change in changes:
            labels = {change.label: "true" if change.wanted else None}
            patch = {"metadata": {"uid": change.uid, "labels": labels}}
            if not self._merge(POD, change.namespace, change.pod, patch, change.component, done):
                return

    def end(self, servers: Iterable[Server], done: Done) -> None:
        """Delete the pods of servers that get nowhere; their connections are reset, which is what ends a wait.

        After the labels, and not at all when those could not be written: the stand-in is to be there first.
        """
        for server in servers if done.transient is None else ():
            child = self.children.get(("Pod", server.name))
            if child is not None and child.uid == server.uid:
                self._delete(child, done, WEDGED_GRACE)

    def _merge(self, kind: Kind, namespace: str, name: str, patch: Manifest, component: str, done: Done) -> bool:
        """Merge a patch into a child; tell whether to go on with the next."""
        try:
            live = self.kube.merge(kind, namespace, name, patch)
        except Vanished:
            return True
        except Failure as failure:
            self._note(failure, Problem(component, kind.name, name, failure.reason, ""), done)
            return False
        self.children[kind.name, name] = self.memory.keep_changed({**live, "kind": kind.name})
        return True

    def _note(self, failure: Failure, problem: Problem, done: Done) -> None:
        if isinstance(failure, Transient):
            done.transient = done.transient or failure
        else:
            text = f"{problem.kind} {problem.name} cannot be changed: {failure.message}"
            done.problems.append(replace(problem, message=text))

    def _try(self, step: Step, done: Done) -> None:
        try:
            self._apply(step, done)
        except Transient as failure:
            done.transient = done.transient or failure
        except (Terminal, Blocked, Unserved) as failure:  # any other Vanished ends the pass: the namespace goes
            done.blocked |= isinstance(failure, Blocked)
            done.problems.append(describe(step, failure))

    def _apply(self, step: Step, done: Done) -> None:
        refusal = self.memory.find_refusal(step.key, step.revision, step.digest)
        if refusal is not None:
            raise refusal
        if not step.revision:
            self._refuse_foreign(step)
        try:
            live = self.kube.apply(dict(step.manifest))
        except Terminal as failure:
            live = self._repair(step, failure)
        self.children[step.key] = self.memory.keep_applied(live, step.digest)
        done.applied[step.key[0]] += 1

    def _repair(self, step: Step, failure: Terminal) -> Manifest:
        """Put the lists of a live object back as a whole, then apply again.

        A list entry whose key was edited belongs to whoever edited it: an apply adds ours beside it, and both together
        may be invalid, two Service ports of one name for example.
        """
        kind, name = step.key
        try:
            if not step.revision or failure.reason != "Invalid":
                raise failure
            spec = {"spec": step.manifest.get("spec", {})}
            self.kube.merge(BY_NAME[kind], step.manifest["metadata"]["namespace"], name, spec)
            return self.kube.apply(dict(step.manifest))
        except Terminal:
            self.memory.keep_refused(step.key, step.revision, step.digest, failure)
            raise failure from None

    def _refuse_foreign(self, step: Step) -> None:
        """Raise when an object of that name exists that is not ours: force would take it over."""
        kind, name = step.key
        live = self.kube.get(BY_NAME[kind], step.manifest["metadata"]["namespace"], name)
        if live is not None and not self._is_ours(live, step):
            raise Blocked("NameTaken", "exists and belongs to somebody else; delete it or give the stack another name")

    def _is_ours(self, live: Live, step: Step) -> bool:
        owner, labels = read_owner(live["metadata"]), live["metadata"].get("labels") or {}
        wanted = step.manifest["metadata"]["labels"][STACK]
        labelled = labels.get(MANAGED_BY) == MANAGER and labels.get(STACK) == wanted
        return owner == self.uid or (not owner and labelled)

    def _delete(self, child: Child, done: Done, grace: int | None = None) -> None:
        try:
            self.kube.delete(BY_NAME[child.kind], child.namespace, child.name, child.uid, grace)
        except Transient as failure:
            done.transient = done.transient or failure
            return
        except (Terminal, Blocked) as failure:
            text = f"{child.kind} {child.name} cannot be deleted: {failure.message}"
            done.problems.append(Problem(child.component, child.kind, child.name, failure.reason, text))
            return
        self.memory.keep_deleted(child)
        self.children.pop(child.key, None)
        done.deleted[child.kind] += 1


def describe(step: Step, failure: Failure) -> Problem:
    """Return the problem of an object that was refused."""
    kind, name = step.key
    component = step.manifest["metadata"]["labels"][COMPONENT]
    return Problem(component, kind, name, failure.reason, f"{kind} {name}: {failure.message}")
