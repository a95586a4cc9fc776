"""The store holds what the watches show; the audit finds what they have missed."""

from typing import Any

import pytest
from coderag_operator.engine.audit import forget_ghosts, is_gone, read_all
from coderag_operator.engine.store import Store
from coderag_operator.observed import project
from tests.support.memory_kube import MemoryKube

KEY = ("team", "demo")


def stack(uid: str = "s1") -> dict[str, Any]:
    return {
        "kind": "CodeRagStack",
        "metadata": {"name": "demo", "namespace": "team", "uid": uid, "resourceVersion": "1"},
    }


def service(name: str, version: str = "1") -> dict[str, Any]:
    labels = {"coderag.dev/stack": "demo"}
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "team", "uid": name, "resourceVersion": version, "labels": labels},
    }


def test_a_stack_is_dropped_by_uid() -> None:
    store = Store()
    store.put_stack(stack("new"))
    assert not store.drop_stack(KEY, "old")
    assert (list(store), len(store)) == ([KEY], 1)
    assert store.drop_stack(KEY, "new")
    assert not store.drop_stack(KEY, "new")


@pytest.mark.parametrize("namespaces", [(), ("team",)])
def test_an_audit_forgets_what_is_gone_and_nothing_else(namespaces: tuple[str, ...]) -> None:
    kube, store = MemoryKube(), Store()
    kube.add(service("kept"))
    kube.add(stack())
    store.put_child(project(kube.objects["Service", "team", "kept"]))
    store.put_stack(kube.objects["CodeRagStack", "team", "demo"])
    store.put_child(project(service("ghost")))
    store.put_child(project(service("newer", version="999999")))
    assert forget_ghosts(store, read_all(kube, namespaces)) == {KEY}
    assert {child.name for child in store.children(KEY)} == {"kept", "newer"}
    assert forget_ghosts(store, read_all(kube, namespaces)) == set()
    kube.remove(("CodeRagStack", "team", "demo"))
    assert forget_ghosts(store, read_all(kube, namespaces)) == {KEY}
    assert store.stack(KEY) is None


def test_what_is_newer_than_the_list_is_not_gone() -> None:
    assert is_gone("a", "4", (frozenset(), "5"))
    assert not is_gone("a", "6", (frozenset(), "5"))
    assert not is_gone("a", "4", (frozenset("a"), "5"))
