"""The store holds what the watches show; the audit finds what they have missed."""

from typing import Any

import pytest
from coderag_operator.engine.audit import find_served, forget_ghosts, is_gone, read_all
from coderag_operator.engine.store import Store
from coderag_operator.errors import Transient, Unserved
from coderag_operator.kube.client import Manifest
from coderag_operator.kube.kinds import RESOURCE_CLAIM, WATCHED, Kind
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


class Older(MemoryKube):
    """An API server from before resource.k8s.io/v1."""

    failure: Exception = Unserved("NotServed", "too old")

    def list(self, kind: Kind, namespace: str | None, selector: str) -> tuple[list[Manifest], str]:
        if kind == RESOURCE_CLAIM:
            raise self.failure
        return super().list(kind, namespace, selector)


def test_an_older_api_server_is_not_asked_for_what_it_does_not_serve() -> None:
    kinds = find_served(Older(), ("team",))
    assert set(WATCHED) - set(kinds) == {RESOURCE_CLAIM}
    assert find_served(MemoryKube(), ()) == WATCHED
    store = Store()
    store.put_child(project(service("ghost")))
    assert forget_ghosts(store, read_all(Older(), (), kinds)) == {KEY}


def test_a_busy_api_server_has_not_said_what_it_serves() -> None:
    kube = Older()
    kube.failure = Transient("Timeout", "busy")
    with pytest.raises(Transient):
        find_served(kube, ())
