"""Every condition of a stack, from one function over observed facts. Pure; the time is an argument.

`Reconciling` and `Stalled` exclude each other: kstatus reads the first as "in progress" and the second as "failed".
Messages hold no time, no identifier and no count that changes by itself: an equal state gives an equal status.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from coderag_operator.index_conditions import judge_index
from coderag_operator.memory_conditions import judge_memory, judge_offload
from coderag_operator.observed.components import Component
from coderag_operator.observed.roles import Rollout
from coderag_operator.observed.view import ROLES, Fetch, View
from coderag_operator.verdict import FALSE, TRUE, UNKNOWN, Verdict

# Component, the condition that speaks of it, in the order in which a stack starts.
COMPONENTS = {
    "qdrant": "VectorStoreReady", "embedding": "EmbeddingReady", "embedding-previous": "", "rag": "RagReady",
    "ingestion": "",
    "chat": "ChatReady", "code": "CodeReady", "gateway": "GatewayReady",
}  # fmt: skip
WAITING = {
    "KeysPending",
    "ModelCachePending",
    "ModelNotFetched",
    "HeaderPending",
    "Measuring",
    "PreviousStarting",
    "PreviousAsked",
}  # frozen for a reason that passes by itself
MODEL_REMEDIES = {
    "ChecksumMismatch": "correct source.http.sha256, or the file at source.http.url",
    "NotFound": "correct source.http.url",
    "Unauthorized": "give source.http.tokenSecretRef a token that may read the file",
    "NotGguf": "give the address of a GGUF file",
    "NoSpace": "raise spec.modelCache.size",
}


def judge(view: View) -> tuple[Verdict, ...]:
    """Return every condition that can be told from the view, in the order in which a reader wants them."""
    served = judge_available(view)
    stalled = judge_stalled(view)
    reconciling = judge_reconciling(view, stalled)
    return (
        judge_ready(view, served, stalled, reconciling),
        served,
        judge_degraded(view),
        reconciling,
        stalled,
        *(judge_component(view, name, kind) for name, kind in COMPONENTS.items() if kind),
        judge_models(view),
        judge_memory(view),
        judge_offload(view),
        judge_failover(view),
        *judge_index(view),
    )


def compute(view: View, before: Iterable[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """Return the conditions as status holds them; the time of a condition moves only when its status flips."""
    known = {str(condition["type"]): condition for condition in before}
    return [date(verdict, known.get(verdict.type), view.generation, now) for verdict in carry(judge(view), view, known)]


def carry(verdicts: Iterable[Verdict], view: View, known: Mapping[str, Mapping[str, Any]]) -> Iterable[Verdict]:
    """Keep what is known about the index while nobody has asked again: a restarted operator has not asked yet."""
    for verdict in verdicts:
        old = known.get(verdict.type)
        if verdict.reason == "NotReported" and view.index is None and old is not None:
            yield Verdict(verdict.type, str(old["status"]), str(old["reason"]), str(old.get("message", "")))
        else:
            yield verdict


def date(verdict: Verdict, old: Mapping[str, Any] | None, generation: int, now: str) -> dict[str, Any]:
    """Return a condition with its time and generation."""
    same = old is not None and old["status"] == verdict.status
    return {
        "type": verdict.type,
        "status": verdict.status,
        "reason": verdict.reason,
        "message": verdict.message,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and same else now,
        "observedGeneration": generation,
    }


def judge_ready(view: View, served: Verdict, stalled: Verdict, reconciling: Verdict) -> Verdict:
    """Ready: served, and the spec of this generation has converged on its own pods."""
    for blocker in (stalled, reconciling):
        if blocker.status == TRUE:
            return Verdict("Ready", FALSE, blocker.reason, blocker.message)
    if view.suspended:
        return judge_stopped(view)
    if served.status == FALSE:
        return Verdict("Ready", FALSE, served.reason, served.message)
    return Verdict("Ready", TRUE, "AllServing", "everything that the spec asks for is ready")


def judge_stopped(view: View) -> Verdict:
    """Tell that a stack that is to have no pods has none."""
    if not view.maintenance:
        return Verdict("Ready", FALSE, "Suspended", "spec.suspend is true: set it to false to start the stack again")
    text = "no node runs a pod of this stack: they are free; set spec.maintenance to false to start it again"
    return Verdict("Ready", FALSE, "NodesFree", text)


def judge_available(view: View) -> Verdict:
    """Available: every capability is served, by whichever pod."""
    missing = [name for name, served in capabilities(view).items() if not served]
    if missing:
        return Verdict("Available", FALSE, "NotServed", f"not served: {', '.join(missing)}")
    return Verdict("Available", TRUE, "AllServed", "chat, code, search and ask are served")


def capabilities(view: View) -> dict[str, bool]:
    """Return what users can do with the stack right now. Search answers from keywords while the embedding is down."""
    models = {role: view.serving("gateway") and bool(view.active(role)) for role in ROLES}
    search = view.serving("rag") and view.serving("qdrant")
    return {**models, "search": search, "ask": search and any(models.values())}


def judge_degraded(view: View) -> Verdict:
    """Degraded: something that should run does not, or another does its work."""
    down = [] if view.suspended else [name for name in COMPONENTS if name in view.components and not view.serving(name)]
    covered = [f"{role} is answered by {who}" for role in ROLES if (who := view.active(role)) not in ("", role)]
    if not (down or covered):
        return Verdict("Degraded", FALSE, "NothingDown", "no component is down")
    parts = ([f"down: {', '.join(down)}"] if down else []) + ([] if view.suspended else covered)
    if not parts:
        return Verdict("Degraded", FALSE, "Suspended", "the stack is suspended")
    return Verdict("Degraded", TRUE, "ComponentsDown" if down else "StoodIn", "; ".join(parts))


def judge_stalled(view: View) -> Verdict:
    """Stalled: a person has to do something; the message says what."""
    if view.invalid:
        return Verdict("Stalled", TRUE, "InvalidSpec", f"{view.invalid} (the last valid spec keeps running)")
    for reason, message in needs_person(view):
        return Verdict("Stalled", TRUE, reason, message)
    return Verdict("Stalled", FALSE, "NotStalled", "nothing waits for a person")


def needs_person(view: View) -> Iterable[tuple[str, str]]:
    """Yield what only a person can solve, in a fixed order."""
    yield from ((one.reason, one.message) for one in view.problems if one.needs_person)
    yield from ((one.reason, one.message) for _, one in sorted(view.frozen.items()) if one.reason not in WAITING)
    yield from ((one.reason, describe_failure(one)) for one in view.fetches if one.final)


def judge_reconciling(view: View, stalled: Verdict) -> Verdict:
    """Reconciling: work is left, and it goes on by itself."""
    if stalled.status == TRUE:
        return Verdict("Reconciling", FALSE, "Stalled", "waits for a person: see Stalled")
    left = [(one.reason, one.message) for one in view.problems]
    left += [(one.reason, one.message) for _, one in sorted(view.frozen.items())]
    left += [] if view.suspended else [(one.reason, one.message) for one in unconverged(view)]
    left += [("RollingOut", describe_rollout(role, rollout)) for role in ROLES if (rollout := view.rollout(role))]
    left += (
        [("Maintenance", "pods are being stopped in order, each with its work done")]
        if view.maintenance and view.alive
        else []
    )
    if left:
        return Verdict("Reconciling", TRUE, left[0][0], "; ".join(dict.fromkeys(message for _, message in left)))
    if view.unfinished:
        return Verdict("Reconciling", TRUE, "Applying", "objects are being replaced")
    return Verdict("Reconciling", FALSE, "Converged", "nothing is left to do")


def unconverged(view: View) -> list[Component]:
    """Return the components that are not ready at this generation, in starting order."""
    known = (view.components[name] for name in COMPONENTS if name in view.components)
    busy = {*view.frozen, *(role for role in ROLES if view.rollout(role))}
    return [component for component in known if not component.converged and component.name not in busy]


def judge_component(view: View, name: str, kind: str) -> Verdict:
    """Tell whether a component is ready at this generation."""
    if view.invalid:
        return Verdict(kind, FALSE, "InvalidSpec", f"{name} runs the last valid spec")
    if name in view.external:
        return Verdict(kind, TRUE, "External", f"{name} is an endpoint outside of this stack; the gateway watches it")
    if name in view.frozen:
        return Verdict(kind, FALSE, view.frozen[name].reason, view.frozen[name].message)
    for problem in view.problems:
        if problem.component == name:
            return Verdict(kind, FALSE, problem.reason, problem.message)
    if rollout := view.rollout(name):
        return Verdict(kind, FALSE, "RollingOut", describe_rollout(name, rollout))
    component = view.components[name]
    return Verdict(kind, TRUE if component.converged else FALSE, component.reason, component.message)


def judge_models(view: View) -> Verdict:
    """ModelsFetched: every model file is present and verified."""
    if view.invalid:
        return Verdict("ModelsFetched", UNKNOWN, "InvalidSpec", "which files are needed cannot be told")
    missing = [one for one in view.fetches if not one.fetched]
    for one in sorted(missing, key=lambda one: not one.final):
        reason = one.reason if one.final else "Fetching"
        return Verdict("ModelsFetched", FALSE, reason, "; ".join(describe_failure(each) for each in missing))
    if not view.fetches:
        return Verdict("ModelsFetched", TRUE, "NothingToFetch", "no model is downloaded")
    return Verdict("ModelsFetched", TRUE, "AllFetched", "every model file is present and verified")


def describe_failure(fetch: Fetch) -> str:
    """Return how a fetch stands and, when it failed for good, what to do."""
    if not fetch.reason:
        return f"the model of {fetch.role} is being fetched"
    if not fetch.final:
        return f"the model of {fetch.role} is being fetched again after {fetch.reason}: {fetch.message}"
    remedy = MODEL_REMEDIES.get(fetch.reason, "see the log of the fetch Job, then delete the Job to try again")
    if fetch.role in ROLES:
        return f"spec.models.{fetch.role}.llamaCpp: {fetch.message}; {remedy}"
    return f"spec.{fetch.role}: {fetch.message}; {remedy.replace('modelCache.size', 'embedding.storage.size')}"


def describe_rollout(role: str, rollout: Rollout) -> str:
    """Return how far a role's new server has come."""
    return f"{role} is being rolled out: {rollout.step}" + (f", {rollout.message}" if rollout.message else "")


def judge_failover(view: View) -> Verdict:
    """FailoverActive: pods of one model carry the label of the other role."""
    if not view.stand_ins:
        return Verdict("FailoverActive", FALSE, "EachServesItself", "no role is served by the other model")
    text = ", ".join(f"{role} is served by {who}{explain(view, role)}" for role, who in sorted(view.stand_ins.items()))
    return Verdict("FailoverActive", TRUE, "StoodIn", text)


def explain(view: View, role: str) -> str:
    """Return why a role is served by the other model, in brackets."""
    reason = view.roles[role].reason if role in view.roles else ""
    return f" ({reason})" if reason else ""
