"""kopf only watches: nothing it registers can write a finalizer, an annotation or a patch."""

import asyncio
from typing import Any

import kopf
import pytest
from coderag_operator.engine import handlers
from coderag_operator.engine.store import Store
from coderag_operator.kube.kinds import STACK, WATCHED


@pytest.fixture
def registered() -> tuple[kopf.OperatorRegistry, Store, list[Any]]:
    registry, store, queue = kopf.OperatorRegistry(), Store(), []
    handlers.register(registry, store, queue.append, lambda: queue.append("synced"))
    return registry, store, queue


def body(kind: str, **metadata: Any) -> dict[str, Any]:
    labels = {"coderag.dev/stack": "demo"}
    return {"kind": kind, "metadata": {"name": "x", "namespace": "team", "uid": "u", "labels": labels, **metadata}}


def run(registry: kopf.OperatorRegistry, name: str, live: dict[str, Any], type: str = "ADDED") -> None:  # noqa: A002
    found = [*registry._indexing.get_all_handlers(), *registry._watching.get_all_handlers()]
    handler = next(one for one in found if one.id == name)
    asyncio.run(handler.fn(body=kopf.Body(live), type=type))


def test_no_handler_requires_a_finalizer_and_none_changes_objects(registered: Any) -> None:
    registry, _, _ = registered
    assert registry._spawning.get_all_handlers() == []
    assert registry._changing.get_all_handlers() == []
    assert registry._webhooks.get_all_handlers() == []
    everything = [*registry._indexing.get_all_handlers(), *registry._watching.get_all_handlers()]
    assert not any(getattr(handler, "requires_finalizer", False) for handler in everything)
    assert len(everything) == 2 * (len(WATCHED) + 1)


def test_every_child_kind_is_watched_by_label_and_stacks_are_not() -> None:
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    selectors = {str(selector.any_name): value for selector, value in settings.watching.label_selectors.items()}
    assert set(selectors) == {kind.plural for kind in WATCHED}
    assert set(selectors.values()) == {"coderag.dev/stack"}
    assert STACK.plural not in selectors
    assert settings.scanning.disabled
    assert settings.queueing.worker_limit is None
    assert not settings.posting.enabled


def test_a_stack_is_kept_before_it_is_queued(registered: Any) -> None:
    registry, store, queue = registered
    live = body("CodeRagStack", managedFields=[{}])
    run(registry, "stacks", live)
    assert "managedFields" not in (store.stack(("team", "x")) or {})["metadata"]
    run(registry, "stack-changed", live)
    assert queue == ["synced", ("team", "x")]
    run(registry, "stack-changed", live, "DELETED")
    assert store.stack(("team", "x")) is None


def test_a_child_wakes_its_stack_and_is_forgotten_when_deleted(registered: Any) -> None:
    registry, store, queue = registered
    live = body("Service")
    run(registry, "services", live)
    run(registry, "services-changed", live)
    assert [child.name for child in store.children(("team", "demo"))] == ["x"]
    run(registry, "services-changed", live, "DELETED")
    assert store.children(("team", "demo")) == ()
    assert queue == [("team", "demo")] * 2


def test_a_child_whose_label_was_changed_wakes_the_stack_that_lost_it(registered: Any) -> None:
    registry, store, queue = registered
    run(registry, "services", body("Service"))
    run(registry, "services", body("Service", labels={"coderag.dev/stack": "other"}))
    assert queue == [("team", "demo")]
    assert (len(store.children(("team", "demo"))), len(store.children(("team", "other")))) == (0, 1)
