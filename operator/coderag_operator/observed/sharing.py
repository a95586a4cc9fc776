"""Chooses how the GPU is shared, from the spec and from what the nodes offer; says why, or why it cannot work.

Whether a node is ready or cordoned does not count: a node that restarts must not change a plan or a pod template.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from coderag_operator.api.gpu import Gpu, Mode
from coderag_operator.observed.devices import GpuDevice
from coderag_operator.observed.nodes import GPU, GpuNode
from coderag_operator.observed.offers import SHARE_IT, Offer, Reason, find_offers, times
from coderag_operator.sharing import Sharing, assume

# What a stack with two servers is made for comes first; one server alone has nobody to share with.
BY_TWO: tuple[Mode, ...] = ("TimeSlicing", "MPS", "HAMi", "DRA", "Exclusive")
BY_ONE: tuple[Mode, ...] = ("Exclusive", "TimeSlicing", "MPS", "HAMi", "DRA")
SHOWN = 3  # names of nodes in a message
NEEDED = {
    "TimeSlicing": SHARE_IT,
    "MPS": "let the device plugin share by MPS (sharing.mps in its configuration)",
    "DRA": "install the NVIDIA DRA driver with GPUs enabled, which needs Kubernetes 1.34",
    "HAMi": "install HAMi",
    "Exclusive": "install the NVIDIA device plugin",
    "RuntimeClass": "correct spec.gpu.nodeSelector",
}
OFFERED = {
    "TimeSlicing": "by time-slicing", "MPS": "by MPS", "HAMi": "by HAMi", "DRA": "to claims",
    "Exclusive": "that is not shared",
}  # fmt: skip
REQUIRED = (
    "required: spec.gpu.sharing and spec.gpu.budgetMiB, or let the operator read nodes (chart value rbac.readNodes)"
)


def choose_sharing(
    gpu: Gpu, nodes: Sequence[GpuNode] | None, devices: Sequence[GpuDevice] | None, local_models: int
) -> Sharing:
    """Return how `local_models` servers get at the GPU; `nodes` or `devices` None: they cannot be read."""
    assumed = assume(gpu, local_models)
    wanted: Mode | None = None if gpu.sharing == "Auto" else gpu.sharing
    if not local_models or wanted == "None":
        return assumed
    if nodes is None:
        return assumed if wanted else replace(assumed, problem=("SharingUnknown", REQUIRED))
    matching = sorted((node for node in nodes if node.matches(gpu.node_selector)), key=lambda node: node.name)
    if wanted:
        return follow(wanted, matching, devices, local_models, assumed.reason)
    return decide(matching, devices, local_models)


def decide(nodes: Sequence[GpuNode], devices: Sequence[GpuDevice] | None, servers: int) -> Sharing:
    """Return the first mode that works and that the nodes themselves tell of, else what is in the way."""
    found = {mode: find_offers(mode, nodes, devices or (), servers) for mode in (BY_TWO if servers > 1 else BY_ONE)}
    told = {mode: [one for one in offers if one.told] for mode, offers in found.items()}
    settled = [settle(mode, found[mode], servers, explain(mode, mine)) for mode, mine in told.items() if mine]
    for sharing in settled:
        if sharing.problem is None:
            return sharing
    if settled:
        return settled[0]
    return Sharing("None", "spec.gpu.sharing is Auto, and no way to share was found", problem=puzzle(nodes, found))


def explain(mode: Mode, offers: Sequence[Offer]) -> str:
    """Return why Auto means this mode."""
    number = f" {times(offers[0].number)}" if mode != "DRA" and mode != "Exclusive" else ""
    return f"{listed((one.node for one in offers), 'offer')} a GPU{number} {OFFERED[mode]}"


def puzzle(nodes: Sequence[GpuNode], found: dict[Mode, tuple[Offer, ...]]) -> Reason:
    """Return why Auto finds nothing."""
    offering = sorted({one.node for offers in found.values() for one in offers})
    with_gpu = [node.name for node in nodes if node.has_gpu]
    if offering:
        text = "GPUs, and no label of GPU feature discovery tells how: set spec.gpu.sharing to TimeSlicing where"
        return "SharingUnknown", f"{listed(offering, 'offer')} {text} they are shares of one GPU, else to Exclusive"
    if with_gpu:
        text = "no GPU to pods, though there is one: install the NVIDIA device plugin, or set spec.gpu.sharing to"
        return "NotOffered", f"{listed(with_gpu, 'offer')} {text} RuntimeClass"
    text = "no node that spec.gpu.nodeSelector selects has a GPU: set spec.gpu.sharing to None to run on the CPU"
    return "NoGpu", f"{text}, or correct spec.gpu.nodeSelector"


def follow(
    mode: Mode, nodes: Sequence[GpuNode], devices: Sequence[GpuDevice] | None, servers: int, reason: str
) -> Sharing:
    """Return the mode that the spec names, on the nodes that it selects."""
    if mode == "DRA" and devices is None:
        text = "spec.gpu.sharing DRA: the API server serves no ResourceSlices, or the operator may not list them"
        return Sharing(mode, reason, problem=("ModeNotOffered", f"{text}: {NEEDED[mode]}"))
    offers = find_offers(mode, nodes, devices or (), servers)
    if not offers:
        where = "no node that spec.gpu.nodeSelector selects offers that"
        return Sharing(mode, reason, problem=("ModeNotOffered", f"spec.gpu.sharing {mode}: {where}: {NEEDED[mode]}"))
    return settle(mode, offers, servers, reason)


def settle(mode: Mode, offers: Sequence[Offer], servers: int, reason: str) -> Sharing:
    """Return a mode with what is known of the GPU that it leads to, and what is in its way."""
    found = [describe(mode, reason, one, servers) for one in by_resource(doubt(offers))]
    return next((one for one in found if one.problem is None), found[0])


def doubt(offers: Sequence[Offer]) -> list[Offer]:
    """Return the offers; where some nodes say what they offer, those that do not are no place for a pod."""
    if not any(one.told for one in offers):
        return list(offers)
    return [one if one.told or one.lack else replace(one, lack=doubtful(one)) for one in offers]


def doubtful(offer: Offer) -> Reason:
    """Return what is lacking on a node that does not say what it offers, unlike others."""
    return "SharingUnknown", f"node {offer.node} does not say how it offers GPUs: set spec.gpu.nodeSelector to others"


def by_resource(offers: Iterable[Offer]) -> list[list[Offer]]:
    """Return the offers by what a pod asks for: a GPU before a slice of one, large slices before small ones."""
    groups: dict[str, list[Offer]] = {}
    for one in offers:
        groups.setdefault(one.resource, []).append(one)
    return sorted(groups.values(), key=lambda group: (group[0].resource != GPU, -group[0].memory_mib))


def describe(mode: Mode, reason: str, offers: Sequence[Offer], servers: int) -> Sharing:
    """Return a mode that asks for one resource, planned for the smallest GPU that it may lead to."""
    good = [one for one in offers if one.lack is None]
    smallest = min(good or offers, key=lambda one: one.share_mib if mode == "MPS" else one.memory_mib)
    return Sharing(
        mode=mode,
        reason=reason,
        resource=smallest.resource,
        nodes=tuple(sorted(one.node for one in good)),
        memory_mib=smallest.memory_mib or None,
        memory_source=smallest.source,
        replicas=smallest.replicas,
        driver=smallest.driver,
        problem=find_problem(mode, offers, good, servers),
    )


def find_problem(mode: Mode, offers: Sequence[Offer], good: Sequence[Offer], servers: int) -> Reason | None:
    """Return what is in the way; the scheduler knows none of it and may choose any node that offers the resource."""
    lacks = [one.lack for one in offers if one.lack is not None]
    if not good:
        return lacks[0]
    if mode == "Exclusive" and sum(one.number for one in good) < servers:
        there = f"{listed((one.node for one in good), 'offer')} {sum(one.number for one in good)}"
        text = f"each of {servers} servers needs a GPU of its own, and {there}"
        return "TooFewGpus", f"spec.gpu.sharing Exclusive: {text}: add one, or share it: {SHARE_IT}"
    if lacks:
        unfit = sorted(one.node for one in offers if one.lack is not None)
        text = f"pods may land on {listed(unfit)}, where it cannot work, instead of {listed(one.node for one in good)}"
        return "NodeNotChosen", f"spec.gpu.sharing {mode}: {text}: set spec.gpu.nodeSelector to labels of the latter"
    return None


def listed(names: Iterable[str], verb: str = "") -> str:
    """Return the names of nodes for a message, with what they do."""
    found = list(names)
    one, more = len(found) == 1, f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    does = f" {verb}{'s' * one}" if verb else ""
    return f"node{'s' * (not one)} {', '.join(found[:SHOWN])}{more}{does}"


__all__ = ["Sharing", "choose_sharing"]
