"""Compares the store with the API server now and then, and forgets objects whose deletion no watch has told.

After a broken watch kopf lists again: it sees what is new and what has changed, but not what has gone in the meantime.
"""

import logging

from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import Key
from coderag_operator.errors import Unserved
from coderag_operator.kube.cache import is_older
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import OPTIONAL, STACK, WATCHED, Kind
from coderag_operator.observed.child import STACK as STACK_LABEL

log = logging.getLogger(__name__)
Listing = tuple[frozenset[str], str]  # UIDs, resourceVersion of the list


def list_uids(kube: Kube, kind: Kind, namespaces: tuple[str, ...], selector: str) -> dict[str | None, Listing]:
    """Return the UIDs that exist, by namespace (None: all of them)."""
    found: dict[str | None, Listing] = {}
    for namespace in namespaces or (None,):
        items, version = kube.list(kind, namespace, selector)
        found[namespace] = frozenset(str(item["metadata"]["uid"]) for item in items), version
    return found


def find_served(kube: Kube, namespaces: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return the kinds of children that this API server knows; a watch on another one would fail for ever."""
    return tuple(kind for kind in WATCHED if kind not in OPTIONAL or is_served(kube, kind, namespaces))


def is_served(kube: Kube, kind: Kind, namespaces: tuple[str, ...]) -> bool:
    """Tell whether the API server knows a kind."""
    try:
        list_uids(kube, kind, namespaces[:1], STACK_LABEL)
    except Unserved:
        log.warning("The API server does not serve a kind", extra={"kind": kind.name, "api": kind.api_version})
        return False
    return True


def read_all(
    kube: Kube, namespaces: tuple[str, ...], kinds: tuple[Kind, ...] = WATCHED
) -> dict[str, dict[str | None, Listing]]:
    """Return the UIDs of every stack and child that exists, by kind; a few reads, no writes."""
    listed = {kind.name: list_uids(kube, kind, namespaces, STACK_LABEL) for kind in kinds}
    return {**listed, STACK.name: list_uids(kube, STACK, namespaces, "")}


def forget_ghosts(store: Store, listed: dict[str, dict[str | None, Listing]]) -> set[Key]:
    """Drop what is not there any more from the store; returns the stacks that this concerns."""
    touched: set[Key] = set()
    for kind in listed.keys() - {STACK.name}:
        for child in store.of_kind(kind):
            if is_gone(child.uid, child.version, find_listing(listed[kind], child.namespace)):
                touched.add(store.drop_child(child))
    for key in store:
        metadata = (store.stack(key) or {})["metadata"]
        if is_gone(metadata["uid"], metadata["resourceVersion"], find_listing(listed[STACK.name], key[0])):
            store.drop_stack(key, metadata["uid"])
            touched.add(key)
    if touched:
        log.warning("Deletions were missed by the watches", extra={"stacks": sorted(map("/".join, touched))})
    return touched


def find_listing(listings: dict[str | None, Listing], namespace: str) -> Listing:
    """Return the list that would hold an object of this namespace."""
    return listings.get(namespace) or listings[None]


def is_gone(uid: str, version: str, listing: Listing) -> bool:
    """Tell whether an object that was seen before the list was made is not in it."""
    uids, listed_at = listing
    return uid not in uids and is_older(version, listed_at)
