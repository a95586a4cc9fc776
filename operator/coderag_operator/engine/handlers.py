"""The whole of kopf in this code base: watches that fill the store and put stacks into the queue.

Indices run before everything else, for every object, and kopf holds all event handlers back until every kind has been
listed once: the first stack in the queue finds a complete store. Handlers are coroutines, because kopf runs plain
functions in threads, and the store belongs to the event loop. No handler here writes, and none wants a finalizer.
"""

from collections.abc import Callable
from typing import Any

import kopf

from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import Key
from coderag_operator.kube.kinds import GROUP, STACK, WATCHED, Kind
from coderag_operator.observed.child import STACK as STACK_LABEL
from coderag_operator.observed.child import Child, project

Enqueue = Callable[[Key], None]


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up as a watcher and nothing else."""
    settings.scanning.disabled = True  # no watch on CRDs and namespaces: it would need more rights
    settings.posting.enabled = False
    settings.peering.standalone = True  # leadership is a Lease that is taken before kopf starts
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    for kind in WATCHED:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = STACK_LABEL
    settings.networking.request_timeout = 60
    settings.queueing.worker_limit = None  # fewer than the number of indexed objects is a deadlock
    settings.process.ultimate_exiting_timeout = 25
    settings.persistence.finalizer = f"{GROUP}/unused"  # visible, if a handler ever asks for one by mistake


def register(
    registry: kopf.OperatorRegistry,
    store: Store,
    enqueue: Enqueue,
    synced: Callable[[], None],
    kinds: tuple[Kind, ...] = WATCHED,
) -> None:
    """Register every watch: stacks, and the kinds of children that the API server knows."""
    kopf.on.login(registry=registry)(login)
    register_stacks(registry, store, enqueue, synced)
    for kind in kinds:
        register_children(registry, kind, store, enqueue)


def login(**arguments: Any) -> Any:
    """Log in as the pod's ServiceAccount, else as the current kubeconfig context says."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def register_stacks(
    registry: kopf.OperatorRegistry, store: Store, enqueue: Enqueue, synced: Callable[[], None]
) -> None:
    """Register the watch on stacks."""

    async def keep(body: kopf.Body, **_: Any) -> None:
        store.put_stack(dict(body))

    async def changed(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if type == "DELETED":
            store.drop_stack(key, metadata["uid"])
        synced()
        enqueue(key)

    resource = (STACK.group, STACK.version, STACK.plural)
    kopf.index(*resource, registry=registry, id="stacks")(keep)
    kopf.on.event(*resource, registry=registry, id="stack-changed")(changed)


def register_children(registry: kopf.OperatorRegistry, kind: Kind, store: Store, enqueue: Enqueue) -> None:
    """Register the watch on one kind of child."""

    def read(body: kopf.Body) -> Child:
        return project({**body, "kind": kind.name})

    async def keep(body: kopf.Body, **_: Any) -> None:
        moved = store.put_child(read(body))
        if moved is not None:
            enqueue(moved)

    async def changed(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        child = read(body)
        if type == "DELETED":
            store.drop_child(child)
        enqueue((child.namespace, child.stack))

    resource = (kind.group, kind.version, kind.plural)
    kopf.index(*resource, registry=registry, id=kind.plural)(keep)
    kopf.on.event(*resource, registry=registry, id=f"{kind.plural}-changed")(changed)
