"""What a probe Job tells about a GPU: llama-server's list of devices, each with the memory that is free."""

import re
from collections.abc import Iterable

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Job, Pod
from coderag_operator.observed.vram import Measurement

DEVICE = re.compile(r"\(([0-9]{1,9}) MiB, ([0-9]{1,9}) MiB free\)")


def learn_gpu(job: Child | None, pods: Iterable[Child], node: str, driver: str) -> Measurement | None:
    """Return what a probe Job measured, None while it is not there or has not ended."""
    if job is None or not isinstance(job.details, Job) or not (job.details.complete or job.details.failed):
        return None
    mine = [pod.details for pod in pods if pod.owner == job.uid and isinstance(pod.details, Pod)]
    free = read_free("\n".join(text for details in mine for text in details.endings))
    if free is not None:
        return Measurement(node, driver, free)
    why = "its image sees no GPU" if job.details.complete else "the probe did not end well"
    return Measurement(node, driver, problem=why)


def read_free(text: str) -> int | None:
    """Return the MiB that are free on the first device of a list, None where it names none.

    A device without memory of its own computes in main memory: BLAS is one, and comes before the GPU.
    """
    return next((int(free) for total, free in DEVICE.findall(text) if int(total)), None)
