"""NetworkPolicies as packet filter rules: which connections the pods of this node may make and take.

Pure: objects in, the text for `nft` out. Each pod that a policy selects gets one chain for what it makes and one for
what it takes; a chain lists what is allowed and refuses the rest. Packets of a connection that was allowed pass, and so
does what the node itself sends: kubelet's probes need no rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TABLE = "coderag_policies"
REFUSE = "counter reject with icmp type admin-prohibited"
OVER = ("Succeeded", "Failed")  # such a pod keeps its address on paper while another pod may have it

Object = dict[str, Any]


@dataclass(frozen=True)
class Direction:
    """Ingress or Egress: the policy's words for it, and where a packet holds this pod's and the other end's address."""

    name: str
    peers: str
    own: str
    other: str


INGRESS = Direction("Ingress", "from", "daddr", "saddr")
EGRESS = Direction("Egress", "to", "saddr", "daddr")


@dataclass(frozen=True)
class Pod:
    """What policies look at in a pod."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (name, protocol) -> number


@dataclass(frozen=True)
class World:
    """Every pod with an address of its own, and the labels of every namespace."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Mapping[str, str]]

    def chosen(self, peer: Object, namespace: str) -> list[Pod]:
        """The pods that a peer of a policy in `namespace` stands for."""
        outer, inner = peer.get("namespaceSelector"), peer.get("podSelector") or {}
        return [
            pod
            for pod in self.pods
            if (pod.namespace == namespace if outer is None else matches(outer, self.namespaces.get(pod.namespace, {})))
            and matches(inner, pod.labels)
        ]


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Does a label selector match? An empty one matches everything."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        holds(each, labels) for each in selector.get("matchExpressions") or []
    )


def holds(expression: Object, labels: Mapping[str, str]) -> bool:
    """Does one expression of a selector hold?"""
    key, values = expression["key"], expression.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def read_pod(found: Object) -> Pod | None:
    """A pod of the API; None for one that has no address of its own, or not any more."""
    status, spec = found.get("status", {}), found["spec"]
    if spec.get("hostNetwork") or not status.get("podIP") or status.get("phase") in OVER:
        return None
    ports = {
        (port["name"], port.get("protocol", "TCP")): port["containerPort"]
        for container in spec["containers"]
        for port in container.get("ports", [])
        if "name" in port
    }
    meta = found["metadata"]
    return Pod(meta["namespace"], status["podIP"], meta.get("labels") or {}, ports)


def read_world(pods: Sequence[Object], namespaces: Sequence[Object]) -> World:
    """What the API says, in the terms of this module; of two pods with one address, the older is on its way out."""
    labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces}
    ordered = sorted(pods, key=lambda each: each["metadata"].get("creationTimestamp", ""))
    found = {pod.address: pod for pod in map(read_pod, ordered) if pod}
    return World([found[address] for address in sorted(found)], labels)


def selecting(policies: Sequence[Object], pod: Pod, direction: Direction) -> list[Object]:
    """The policies that say something about this pod in this direction; with none, it is free in it."""
    return [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction.name in policy["spec"].get("policyTypes", ["Ingress"])
        and matches(policy["spec"].get("podSelector") or {}, pod.labels)
    ]


def allowances(policy: Object, pod: Pod, direction: Direction, world: World) -> Iterator[str]:
    """The conditions under which a policy lets a connection pass."""
    for rule in policy["spec"].get(direction.name.lower()) or []:
        for address, others in ends(rule, policy["metadata"]["namespace"], direction, world):
            for port in rule.get("ports") or [None]:
                targets = [pod] if direction is INGRESS else others
                yield from (f"{address} {each}".strip() for each in port_conditions(port, targets))


def ends(rule: Object, namespace: str, direction: Direction, world: World) -> Iterator[tuple[str, Sequence[Pod]]]:
    """Each kind of other end that a rule names: the condition on its address, and the pods among them."""
    if not rule.get(direction.peers):
        yield "", world.pods
    for peer in rule.get(direction.peers) or []:
        if block := peer.get("ipBlock"):
            if ":" not in block["cidr"]:  # this node's pods have no other addresses
                yield block_condition(block, direction), ()
        elif pods := world.chosen(peer, namespace):
            yield f"ip {direction.other} {{ {', '.join(each.address for each in pods)} }}", pods


def block_condition(block: Object, direction: Direction) -> str:
    """An address range without its exceptions."""
    end = f"ip {direction.other}"
    return " ".join([f"{end} {block['cidr']}", *(f"{end} != {each}" for each in block.get("except") or [])])


def port_conditions(port: Object | None, targets: Sequence[Pod]) -> Iterator[str]:
    """The condition on the port; a name means another number in each of the pods that are called."""
    if port is None:
        yield ""
        return
    protocol = port.get("protocol", "TCP")
    number = port.get("port")
    if number is None:
        yield f"meta l4proto {protocol.lower()}"
    elif isinstance(number, int):
        end = f"-{port['endPort']}" if port.get("endPort") else ""
        yield f"{protocol.lower()} dport {number}{end}"
    else:
        for pod in targets:
            if found := pod.ports.get((number, protocol)):
                yield f"ip daddr {pod.address} {protocol.lower()} dport {found}"


def chain(pod: Pod, policies: Sequence[Object], direction: Direction, world: World) -> list[str]:
    """The rules of one pod in one direction: itself, whatever a policy allows, nothing else."""
    allowed = {f"ip {direction.other} {pod.address}": None}
    for policy in policies:
        allowed |= dict.fromkeys(allowances(policy, pod, direction, world))
    return [*(f"{condition} return".strip() for condition in allowed), REFUSE]


def chains(policies: Sequence[Object], direction: Direction, world: World) -> Iterator[tuple[str, str, list[str]]]:
    """Address, name and rules of the chain of every pod that is not free in a direction."""
    for pod in world.pods:
        if found := selecting(policies, pod, direction):
            name = f"{direction.name.lower()}_{pod.address.replace('.', '_')}"
            yield pod.address, name, chain(pod, found, direction, world)


def ruleset(pods: Sequence[Object], namespaces: Sequence[Object], policies: Sequence[Object]) -> str:
    """The whole table; `nft` replaces the old one by it in one step."""
    world = read_world(pods, namespaces)
    lines, jumps = [f"table ip {TABLE}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"], {}
    ordered = sorted(policies, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))
    for direction in (EGRESS, INGRESS):
        found = list(chains(ordered, direction, world))
        for _, name, rules in found:
            lines += [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]
        jumps[direction] = ", ".join(f"{address} : jump {name}" for address, name, _ in found)
    # What a pod sends to the node itself, name service and API among it, is never forwarded.
    lines += hook("input", jumps, EGRESS) + hook("forward", jumps, EGRESS, INGRESS)
    return "\n".join([*lines, "}", ""])


def hook(name: str, jumps: Mapping[Direction, str], *directions: Direction) -> list[str]:
    """A chain at one of the kernel's hooks: only the first packet of a connection is judged."""
    judged = [f"    ip {each.own} vmap {{ {jumps[each]} }}" for each in directions if jumps[each]]
    begin = f"    type filter hook {name} priority filter; policy accept;"
    return [f"  chain {name} {{", begin, "    ct state established,related accept", *judged, "  }"]
