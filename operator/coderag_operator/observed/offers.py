"""What each node offers in each way to share a GPU, and what is missing where that is not enough."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from coderag_operator.api.gpu import Mode
from coderag_operator.observed.devices import GpuDevice
from coderag_operator.observed.nodes import GPU, HAMI, MPS, SHARED, TIME_SLICING, UNTOLD, WHOLE, GpuNode

Reason = tuple[str, str]  # one word, and a message with what to do
STRATEGIES: dict[str, tuple[Mode, str]] = {
    TIME_SLICING: ("TimeSlicing", "time-slicing"), MPS: ("MPS", "MPS"), HAMI: ("HAMi", "HAMi"),
    WHOLE: ("Exclusive", "whole GPUs"),
}  # fmt: skip
SHARE_IT = (
    "let the device plugin offer it 4 times (sharing.timeSlicing in its configuration) and set spec.gpu.sharing to "
    "TimeSlicing or Auto"
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one node offers in one mode. `told`: the node says so itself, so that Auto may rely on it.

    number: servers that it can take; memory_mib: of one GPU or slice, 0 unknown; lack: why it is not enough
    """

    node: str
    resource: str = ""
    number: int = 1
    memory_mib: int = 0
    source: str = ""
    replicas: int = 1
    driver: str = ""
    told: bool = True
    lack: Reason | None = None

    @property
    def share_mib(self) -> int:
        """Return the part of the memory that one of `replicas` has."""
        return self.memory_mib // max(1, self.replicas)


def find_offers(mode: Mode, nodes: Iterable[GpuNode], devices: Iterable[GpuDevice], servers: int) -> tuple[Offer, ...]:
    """Return what the nodes offer to so many servers in a mode; a node that offers nothing of the kind has no entry."""
    if mode == "DRA":
        return tuple(offer_devices(nodes, devices))
    offer = OFFERS[mode]
    return tuple(one for node in nodes for one in offer(node, servers))


def offer_shares(strategy: str) -> Callable[[GpuNode, int], Iterator[Offer]]:
    """Return what finds the shares of GPUs that are offered by one strategy."""

    def offer(node: GpuNode, servers: int) -> Iterator[Offer]:
        resource = SHARED if SHARED in node.offered else GPU
        number = node.offered.get(resource, 0)
        if number:
            replicas = number // node.count if node.count else node.replicas or number
            yield labelled(
                node, resource, number, max(1, replicas), node.strategy == strategy,
                find_lack(node, strategy, number, servers),
            )  # fmt: skip

    return offer


def find_lack(node: GpuNode, strategy: str, number: int, servers: int) -> Reason | None:
    """Return why the shares of a node are not enough; two servers on two of its GPUs would share none."""
    fits = {strategy, UNTOLD, *([WHOLE] if strategy == TIME_SLICING else [])}
    mode = STRATEGIES[strategy][0]
    if node.strategy not in fits:
        other, words = STRATEGIES[node.strategy]
        text = f"node {node.name} offers {words}: set spec.gpu.sharing to {other} or Auto"
        return "ModeNotOffered", f"spec.gpu.sharing {mode}: {text}, or configure the node for {mode}"
    if servers > 1 and node.count > 1 and strategy != HAMI:
        text = (
            f"node {node.name} has {node.count} GPUs, and two servers may get different ones: set spec.gpu.sharing to "
            "Exclusive or DRA, or spec.gpu.nodeSelector to a node with one GPU"
        )
        return "SeveralGpus", f"spec.gpu.sharing {mode}: {text}"
    if number < servers:
        text = f"node {node.name} offers its GPU {times(number)} to {servers} servers: let it offer at least {servers}"
        return "TooFewReplicas", f"spec.gpu.sharing {mode}: {text} (4 leave room for a rollout)"
    return None


def offer_whole(node: GpuNode, servers: int) -> Iterator[Offer]:
    """Yield the GPUs and MIG slices that a pod has for itself; they may come from several nodes."""
    if number := node.offered.get(GPU, 0):
        shared = node.strategy not in (WHOLE, UNTOLD)
        _, words = STRATEGIES.get(node.strategy, ("", ""))
        text = f"spec.gpu.sharing Exclusive: node {node.name} offers shares by {words} and no whole GPU"
        lack = ("ModeNotOffered", f"{text}: set spec.gpu.sharing to Auto") if shared else None
        yield labelled(node, GPU, number, 1, node.strategy == WHOLE, lack)
    for resource, memory in node.slices.items():
        source = f"label {resource}.memory of node {node.name}" if memory else ""
        yield Offer(node.name, resource, node.offered[resource], memory, source, driver=node.driver)


def offer_unseen(node: GpuNode, servers: int) -> Iterator[Offer]:
    """Yield a node whose GPUs a pod gets without asking the scheduler: all of them."""
    lack = None
    if node.count > 1:
        text = f"node {node.name} has {node.count} GPUs, and a server would spread over all of them"
        lack = ("SeveralGpus", f"spec.gpu.sharing RuntimeClass: {text}: choose another way to share")
    yield labelled(node, "", servers, 1, node.has_gpu, lack)


def labelled(node: GpuNode, resource: str, number: int, replicas: int, told: bool, lack: Reason | None) -> Offer:
    """Return an offer of a node whose labels tell the memory of a GPU."""
    source = "" if not node.memory_mib else f"what HAMi registered on node {node.name}"
    if source and node.strategy != HAMI:
        source = f"label {GPU}.memory of node {node.name}"
    return Offer(node.name, resource, number, node.memory_mib, source, replicas, node.driver, told, lack)


def offer_devices(nodes: Iterable[GpuNode], devices: Iterable[GpuDevice]) -> Iterator[Offer]:
    """Yield the nodes whose GPUs a claim can get; which of several does not matter, both servers hold one claim."""
    names, found = {node.name for node in nodes}, list(devices)
    for name in sorted({one.node for one in found} & names):
        mine = [one for one in found if one.node == name]
        smallest = min(mine, key=lambda one: one.memory_mib)
        source = f"ResourceSlices of node {name}" if smallest.memory_mib else ""
        yield Offer(name, "", len(mine), smallest.memory_mib, source, driver=smallest.driver)


def times(number: int) -> str:
    """Return a number of times in words."""
    return "once" if number == 1 else f"{number} times"


OFFERS: dict[Mode, Callable[[GpuNode, int], Iterator[Offer]]] = {
    "TimeSlicing": offer_shares(TIME_SLICING), "MPS": offer_shares(MPS), "HAMi": offer_shares(HAMI),
    "Exclusive": offer_whole, "RuntimeClass": offer_unseen,
}  # fmt: skip
