"""The state of one component, from its workload and its pods."""

from collections.abc import Iterable
from dataclasses import dataclass

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod, Workload

REMEDIES = {
    "CrashLoopBackOff": "its container keeps ending; see kubectl logs --previous",
    "CreateContainerConfigError": "a Secret, ConfigMap or key that it uses is missing, or a folder on its claim",
    "ErrImageNeverPull": "its image is not on the node",
    "ErrImagePull": "its image cannot be pulled: check spec.images and spec.imagePullSecrets",
    "ImagePullBackOff": "its image cannot be pulled: check spec.images and spec.imagePullSecrets",
    "InvalidImageName": "its image name is not valid: check spec.images",
}


@dataclass(frozen=True, slots=True)
class Component:
    """What is known about a component: `converged` on its present template, `serving` from whichever pod."""

    name: str
    converged: bool
    serving: bool
    reason: str
    message: str


def read_component(name: str, children: Iterable[Child]) -> Component:
    """Return the state of a component that has (or should have) a workload."""
    mine = [child for child in children if child.component == name]
    workload = next((child.details for child in mine if isinstance(child.details, Workload)), None)
    if workload is None:
        return Component(name, False, False, "NotCreated", f"{name} is not created yet")
    if workload.wanted == 0:
        settled = workload.total == 0
        return Component(name, False, workload.serving, "Suspended", f"{name} is {'' if settled else 'being '}stopped")
    if workload.converged:
        return Component(name, True, True, "PodsReady", f"{name} is ready")
    reason, message = explain(name, workload, [child.details for child in mine if isinstance(child.details, Pod)])
    return Component(name, False, workload.serving, reason, message)


def explain(name: str, workload: Workload, pods: list[Pod]) -> tuple[str, str]:
    """Return why a workload has not converged: the most telling reason first."""
    trouble = find_trouble(name, pods)
    if trouble:
        return trouble
    if workload.late:
        return "ProgressDeadlineExceeded", f"{name} did not become ready in time; see kubectl describe"
    if workload.observed_generation < workload.generation or workload.updated < workload.wanted:
        return "RollingOut", f"{name} is being rolled out"
    if workload.total > workload.wanted:
        return "RollingOut", f"{name} still has pods of the old template"
    return "NotReady", f"{name} has {workload.ready} of {workload.wanted} pods ready"


def find_trouble(name: str, pods: list[Pod]) -> tuple[str, str] | None:
    """Return what keeps pods from running, None when nothing is known to."""
    waiting = sorted(one for pod in pods for one in pod.waiting)
    if waiting:
        reason, image = waiting[0]
        return reason, f"{name} cannot run: {REMEDIES.get(reason, 'see kubectl describe')} (image {image})"
    unschedulable = sorted(pod.unschedulable for pod in pods if pod.unschedulable)
    if unschedulable:
        return "Unschedulable", f"{name} fits on no node: {unschedulable[0]}"
    return None


def find_stand_ins(children: Iterable[Child]) -> dict[str, str]:
    """Return, for each role that pods of another component are labelled to serve, that component."""
    found = {
        role: child.component
        for child in children
        if isinstance(child.details, Pod)
        for role in child.details.serves
        if role != child.component
    }
    return dict(sorted(found.items()))
