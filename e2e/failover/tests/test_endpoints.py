"""Switches and gaps are counted from what the cluster said, in the order in which it said it."""

import json

from e2e.failover.accounting import Window
from e2e.failover.endpoints import Served, count_switches, history, label_changes, longest_absence, ready_pods
from e2e.failover.watch import split

LABEL = "coderag.dev/serves-chat"


def role_of(pod):
    return pod.split("-")[1]


def endpoint_slice(*pods, name="demo-active-chat-x", ready=True):
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}} for pod in pods]
    return {"metadata": {"name": name}, "endpoints": endpoints or None}


def pod(name, **labels):
    return {"metadata": {"name": name, "labels": labels}}


def test_a_pod_that_is_not_ready_gets_no_new_connections():
    assert ready_pods(endpoint_slice("demo-chat-1", ready=False)) == frozenset()
    assert ready_pods(endpoint_slice("demo-chat-1", ready=None)) == {"demo-chat-1"}
    assert ready_pods(endpoint_slice()) == frozenset()


def test_add_before_remove_is_one_switch_and_no_gap():
    changes = [
        (1.0, "ADDED", endpoint_slice("demo-chat-1")),
        (2.0, "MODIFIED", endpoint_slice("demo-chat-1", "demo-code-1")),
        (2.5, "MODIFIED", endpoint_slice("demo-chat-1", "demo-code-1")),
        (3.0, "MODIFIED", endpoint_slice("demo-code-1")),
    ]
    served = history(changes, role_of)
    assert [one.since for one in served] == [1.0, 2.0, 3.0]
    assert count_switches(served) == 1
    assert longest_absence(served, Window(0, 10)) == 0


def test_a_gap_and_a_return_to_the_same_one_are_no_switch():
    changes = [
        (1.0, "ADDED", endpoint_slice("demo-chat-1")),
        (4.0, "MODIFIED", endpoint_slice()),
        (6.5, "MODIFIED", endpoint_slice("demo-chat-2")),
        (7.0, "DELETED", endpoint_slice("demo-chat-2")),
    ]
    served = history(changes, role_of)
    assert count_switches(served) == 0
    assert longest_absence(served, Window(0, 8)) == 2.5
    assert longest_absence(served, Window(0, 20)) == 13
    assert longest_absence([], Window(0, 20)) == 0


def test_there_and_back_are_two_switches():
    path = [{"chat"}, {"chat", "code"}, {"code"}, set(), {"code"}, {"chat", "code"}, {"chat"}]
    assert count_switches(Served(float(n), frozenset(by)) for n, by in enumerate(path)) == 2


def test_two_slices_of_one_service_count_together():
    changes = [
        (1.0, "ADDED", endpoint_slice("demo-chat-1", name="a")),
        (2.0, "ADDED", endpoint_slice("demo-code-1", name="b")),
        (3.0, "DELETED", endpoint_slice(name="a")),
    ]
    assert [one.by for one in history(changes, role_of)] == [{"chat"}, {"chat", "code"}, {"code"}]


def test_a_label_comes_with_a_pod_or_a_patch_and_goes_with_either():
    serves = {LABEL: "true"}
    changes = [
        (1.0, "ADDED", pod("demo-chat-1", **serves)),
        (1.0, "ADDED", pod("demo-code-1")),
        (2.0, "MODIFIED", pod("demo-code-1", **serves)),
        (2.5, "MODIFIED", pod("demo-code-1", **serves)),
        (3.0, "DELETED", pod("demo-chat-1", **serves)),
        (4.0, "MODIFIED", pod("demo-code-1")),
    ]
    assert label_changes(changes, LABEL) == [
        (1.0, "demo-chat-1", True),
        (2.0, "demo-code-1", True),
        (3.0, "demo-chat-1", False),
        (4.0, "demo-code-1", False),
    ]


def test_documents_are_read_one_by_one_as_they_come():
    text = json.dumps({"a": 1}, indent=1) + "\n" + json.dumps({"b": 2}) + '\n{"c": '
    found = list(split(text))
    assert [value for value, _ in found] == [{"a": 1}, {"b": 2}]
    assert found[-1][1].strip() == '{"c":'
    assert list(split("")) == []
