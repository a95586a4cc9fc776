"""How the GPU is shared in the end: the record between those who look at the nodes and those who render pods.

Neither half of the pure code may import the other, so that what both speak of lives here.
"""

from dataclasses import dataclass

from coderag_operator.api.gpu import Gpu, Mode

GPU = "nvidia.com/gpu"
MEASURABLE = frozenset({"TimeSlicing", "RuntimeClass", "DRA"})  # a process of ours sees the whole GPU
TOGETHER = frozenset({"TimeSlicing", "MPS", "DRA", "HAMi", "RuntimeClass"})  # both servers use one GPU
COUNTED = frozenset({"TimeSlicing", "MPS", "HAMi", "Exclusive"})  # by a resource that the scheduler counts


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the servers get at the GPU, and what is known of it.

    mode: never Auto; None where nothing runs on a GPU, and where Auto could not be decided
    reason: why this mode, in words for the status
    resource: what a pod asks for, empty in modes that ask for nothing
    nodes: names of the nodes that qualify, sorted; empty while the nodes are unknown
    memory_mib: memory of one GPU (or MIG slice) of the smallest of these nodes, None while unknown
    memory_source: where that number was read
    replicas: how many times one GPU is offered
    driver: version of the CUDA driver on the node that memory_mib is of, empty while unknown
    problem: why it cannot work, as (reason, message with advice), None when nothing is known to be in the way
    """

    mode: Mode
    reason: str
    resource: str = ""
    nodes: tuple[str, ...] = ()
    memory_mib: int | None = None
    memory_source: str = ""
    replicas: int = 1
    driver: str = ""
    problem: tuple[str, str] | None = None

    @property
    def together(self) -> bool:
        """Tell whether both servers use one GPU, and so have to be on one node."""
        return self.mode in TOGETHER

    @property
    def measurable(self) -> str:
        """Return the node whose GPU can be measured, empty where several could be meant or each process sees a part."""
        return self.nodes[0] if self.mode in MEASURABLE and len(self.nodes) == 1 else ""

    @property
    def share_mib(self) -> int | None:
        """MiB that one server may take where the mode bounds it, None where both divide the budget as they like.

        MPS: the control daemon pins every client to the same fraction. Exclusive: each server has a GPU of its own.
        """
        if self.memory_mib is None or self.mode not in ("MPS", "Exclusive"):
            return None
        return self.memory_mib // self.replicas


def assume(gpu: Gpu, servers: int) -> Sharing:
    """Return what the spec alone tells, for `servers` model servers that want a GPU; Auto decides nothing."""
    if not servers:
        return Sharing("None", "no model server uses a GPU")
    if gpu.sharing == "None":
        return Sharing("None", "spec.gpu.sharing says so")
    if gpu.sharing == "Auto":
        return Sharing("None", "spec.gpu.sharing is Auto, and the nodes are not known")
    return Sharing(gpu.sharing, "spec.gpu.sharing says so", GPU if gpu.sharing in COUNTED else "")
