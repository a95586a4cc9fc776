"""NetworkPolicies as packet filter rules, judged by walking the rules with a packet as the kernel would."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.cluster import policies
from e2e.cluster.policies import EGRESS, INGRESS

Object = dict[str, Any]
NAMESPACES = [{"metadata": {"name": name, "labels": {"name": name}}} for name in ("ns", "other")]


def pod(name: str, address: str, namespace: str = "ns", **changes: Any) -> Object:
    ports = [{"name": "http", "containerPort": 8000 + int(address.rsplit(".", 1)[1]), "protocol": "TCP"}]
    meta = {"name": name, "namespace": namespace, "labels": {"app": name}}
    spec = {"containers": [{"ports": ports}], **changes.get("spec", {})}
    return {
        "metadata": {**meta, **changes.get("metadata", {})},
        "spec": spec,
        "status": {"podIP": address, "phase": "Running", **changes.get("status", {})},
    }


def policy(app: str, *types: str, namespace: str = "ns", **rules: Any) -> Object:
    selector = {"matchLabels": {"app": app}} if app else {}
    spec = {"podSelector": selector, "policyTypes": list(types), **rules}
    return {"metadata": {"namespace": namespace, "name": f"{app or 'all'}-policy"}, "spec": spec}


A, B, C = pod("a", "10.244.0.1"), pod("b", "10.244.0.2"), pod("c", "10.244.0.3", "other")
PODS = [A, B, C]
CONDITION = re.compile(r"ip (saddr|daddr) (!= )?(\{[^}]*\}|\S+)|(tcp|udp) dport (\d+)(?:-(\d+))?|meta l4proto (\w+)")


def in_range(address: str, text: str) -> bool:
    """Is the address one of those in the text? Ranges here are only those that the tests use."""
    listed = [each.strip() for each in text.strip("{}").split(",")]
    return any(each == address or (each.endswith(".0/24") and address.startswith(each[:-4])) for each in listed)


def satisfied(rule: str, source: str, target: str, protocol: str, port: int) -> bool:
    for end, negated, addresses, kind, low, high, l4 in CONDITION.findall(rule):
        if end and in_range(source if end == "saddr" else target, addresses) == bool(negated):
            return False
        if (kind or l4) and protocol != (kind or l4):
            return False
        if low and not int(low) <= port <= int(high or low):
            return False
    return True


def passes(text: str, source: str, target: str, port: int = 80, protocol: str = "tcp") -> bool:
    """Does the first packet of a connection get through the forward hook?"""
    for direction, address in (("egress", source), ("ingress", target)):
        name = f"{direction}_{address.replace('.', '_')}"
        if f"jump {name}" not in text:
            continue
        rules = block(text, name)
        assert rules[-1] == policies.REFUSE
        if not any(satisfied(rule, source, target, protocol, port) for rule in rules[:-1]):
            return False
    return True


def block(text: str, name: str) -> list[str]:
    lines = text.splitlines()
    start = lines.index(f"  chain {name} {{")
    return [line.strip() for line in lines[start + 1 : lines.index("  }", start)]]


def rules(*found: Object, pods: list[Object] = PODS) -> str:
    return policies.ruleset(pods, NAMESPACES, found)


def test_without_a_policy_everything_passes() -> None:
    text = rules()
    assert "vmap" not in text
    assert passes(text, "10.244.0.1", "10.244.0.2")


def test_an_empty_policy_closes_what_it_selects_and_nothing_else() -> None:
    text = rules(policy("a", "Ingress"))
    assert not passes(text, "10.244.0.2", "10.244.0.1")
    assert passes(text, "10.244.0.1", "10.244.0.2")


def test_only_the_named_pods_pass_on_the_named_port() -> None:
    allowed = {"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}
    text = rules(policy("a", "Ingress", ingress=[allowed]))
    assert passes(text, "10.244.0.2", "10.244.0.1", 80)
    assert not passes(text, "10.244.0.2", "10.244.0.1", 81)
    assert not passes(text, "10.244.0.2", "10.244.0.1", 80, "udp")
    assert not passes(text, "10.244.0.3", "10.244.0.1", 80)


def test_a_pod_selector_means_the_policys_own_namespace_and_a_namespace_selector_another() -> None:
    near = rules(policy("a", "Ingress", ingress=[{"from": [{"podSelector": {}}]}]))
    assert passes(near, "10.244.0.2", "10.244.0.1")
    assert not passes(near, "10.244.0.3", "10.244.0.1")
    peer = {"namespaceSelector": {"matchLabels": {"name": "other"}}}
    far = rules(policy("a", "Ingress", ingress=[{"from": [peer]}]))
    assert passes(far, "10.244.0.3", "10.244.0.1")
    assert not passes(far, "10.244.0.2", "10.244.0.1")


def test_both_ends_have_to_agree() -> None:
    out = policy("b", "Egress", egress=[{"to": [{"podSelector": {"matchLabels": {"app": "a"}}}]}])
    assert passes(rules(out), "10.244.0.2", "10.244.0.1")
    assert not passes(rules(out), "10.244.0.2", "10.244.0.3")
    assert not passes(rules(out, policy("a", "Ingress")), "10.244.0.2", "10.244.0.1")


def test_policies_add_up() -> None:
    one = {"podSelector": {"matchLabels": {"app": "b"}}}
    two = {"namespaceSelector": {"matchLabels": {"name": "other"}}}
    text = rules(policy("a", "Ingress", ingress=[{"from": [one]}]), policy("", "Ingress", ingress=[{"from": [two]}]))
    assert passes(text, "10.244.0.2", "10.244.0.1")
    assert passes(text, "10.244.0.3", "10.244.0.1")
    assert not passes(text, "10.244.0.1", "10.244.0.2")


def test_a_rule_without_peers_means_anyone_and_a_selector_that_finds_nobody_means_nobody() -> None:
    anyone = rules(policy("a", "Ingress", ingress=[{"ports": [{"port": 80}]}]))
    assert passes(anyone, "192.0.2.9", "10.244.0.1", 80)
    nobody = rules(policy("a", "Ingress", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}]))
    assert not passes(nobody, "10.244.0.2", "10.244.0.1")


def test_a_pod_always_reaches_itself() -> None:
    assert passes(rules(policy("a", "Ingress", "Egress")), "10.244.0.1", "10.244.0.1")


def test_a_range_of_addresses_has_exceptions() -> None:
    inside = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7"]}}
    text = rules(policy("a", "Egress", egress=[{"to": [inside, {"ipBlock": {"cidr": "::/0"}}]}]))
    assert passes(text, "10.244.0.1", "192.0.2.1")
    assert not passes(text, "10.244.0.1", "192.0.2.7")
    assert "::" not in text


def test_a_named_port_is_that_of_the_pod_that_is_called() -> None:
    taken = rules(policy("a", "Ingress", ingress=[{"ports": [{"port": "http"}]}]))
    assert passes(taken, "10.244.0.2", "10.244.0.1", 8001)
    assert not passes(taken, "10.244.0.2", "10.244.0.1", 8002)
    made = rules(policy("a", "Egress", egress=[{"ports": [{"port": "http"}]}]))
    assert passes(made, "10.244.0.1", "10.244.0.2", 8002)
    assert not passes(made, "10.244.0.1", "10.244.0.2", 8003)


def test_ports_come_in_ranges_and_as_protocols() -> None:
    text = rules(policy("a", "Ingress", ingress=[{"ports": [{"port": 10, "endPort": 20}, {"protocol": "UDP"}]}]))
    assert passes(text, "10.244.0.2", "10.244.0.1", 15)
    assert not passes(text, "10.244.0.2", "10.244.0.1", 21)
    assert passes(text, "10.244.0.2", "10.244.0.1", 21, "udp")


def test_what_a_pod_sends_to_the_node_is_judged_and_what_the_node_sends_is_not() -> None:
    text = rules(policy("a", "Egress", egress=[{"ports": [{"port": 53, "protocol": "UDP"}]}]))
    assert [line for line in block(text, "input") if "jump" in line] == [
        "ip saddr vmap { 10.244.0.1 : jump egress_10_244_0_1 }"
    ]
    assert "output" not in text


@pytest.mark.parametrize(
    "gone", [{"status": {"phase": "Succeeded"}}, {"spec": {"hostNetwork": True}}, {"status": {"podIP": ""}}]
)
def test_a_pod_without_an_address_of_its_own_is_nobody(gone: Object) -> None:
    assert policies.read_pod(pod("a", "10.244.0.1", **gone)) is None


def test_an_address_that_was_given_away_is_its_new_owners() -> None:
    old = pod("a", "10.244.0.1", metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    new = pod("b", "10.244.0.1", metadata={"creationTimestamp": "2026-01-02T00:00:00Z", "labels": {"app": "b"}})
    assert [each.labels["app"] for each in policies.read_world([new, old], NAMESPACES).pods] == ["b"]


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("In", ["1"], True),
        ("In", ["2"], False),
        ("NotIn", ["2"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_selectors_know_expressions(operator: str, values: list[str], holds: bool) -> None:
    expression = {"key": "a", "operator": operator, "values": values}
    assert policies.matches({"matchExpressions": [expression]}, {"a": "1"}) is holds


def test_what_is_absent_is_not_in() -> None:
    expression = {"key": "b", "operator": "NotIn", "values": ["1"]}
    assert policies.matches({"matchExpressions": [expression]}, {"a": "1"})


apps = st.sampled_from(["a", "b", "c", ""])
peers = st.lists(apps, max_size=2)


@given(target=apps, allowed=peers, source=st.sampled_from(PODS), called=st.sampled_from(PODS))
def test_ingress_follows_its_definition(target: str, allowed: list[str], source: Object, called: Object) -> None:
    """Any policy of pod selectors, against the words of the API's documentation."""
    named = [{"podSelector": {"matchLabels": {"app": each}} if each else {}} for each in allowed]
    text = rules(policy(target, "Ingress", ingress=[{"from": named}]))
    app, address = called["metadata"]["labels"]["app"], called["status"]["podIP"]
    selected = called["metadata"]["namespace"] == "ns" and target in ("", app)
    near = source["metadata"]["namespace"] == "ns"
    listed = any(each in ("", source["metadata"]["labels"]["app"]) for each in allowed)
    expected = not selected or source is called or not allowed or (near and listed)
    assert passes(text, source["status"]["podIP"], address) is expected


def test_directions_mirror_each_other() -> None:
    assert (INGRESS.own, INGRESS.other) == (EGRESS.other, EGRESS.own)
