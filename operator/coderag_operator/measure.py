"""Reading from the logs of model servers what they took of the GPU, once for each pod."""

import logging
from collections.abc import Iterable, Mapping

from coderag_operator.errors import Failure
from coderag_operator.kube.client import Kube
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod
from coderag_operator.observed.outlook import Outlook
from coderag_operator.observed.serverlog import read_buffers
from coderag_operator.observed.vram import Measured

LOG_BYTES = 256 * 1024  # from the start of the log: the buffers are told before the first request

log = logging.getLogger(__name__)


def measure_servers(
    outlook: Outlook, known: Mapping[str, Measured], pods: Iterable[Child], kube: Kube
) -> dict[str, Measured]:
    """Return what the servers of a plan measured; a log that cannot be read now is asked for in the next pass."""
    measured = dict(known)
    for pod in pods if outlook.plan else ():
        if is_unmeasured(pod, outlook, known) and (found := read_server(pod, kube)):
            measured[pod.component] = found
    return measured


def is_unmeasured(pod: Child, outlook: Outlook, known: Mapping[str, Measured]) -> bool:
    """Tell whether a pod is a planned server that has loaded its model and was not asked yet."""
    planned = outlook.plan is not None and pod.component in outlook.plan.models
    started = isinstance(pod.details, Pod) and pod.details.ready and not pod.deleting
    return planned and started and (pod.component not in known or known[pod.component].pod_uid != pod.uid)


def read_server(pod: Child, kube: Kube) -> Measured | None:
    """Return what a server told at its start, None when its log cannot be read."""
    try:
        text = kube.read_log(pod.namespace, pod.name, pod.component, LOG_BYTES)
    except Failure as failure:
        log.warning("The log of a model server cannot be read", extra={"pod": pod.name, "reason": failure.reason})
        return None
    return Measured(pod.uid, read_buffers(text))
