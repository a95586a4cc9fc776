"""What the watches show, as plain dictionaries: stacks by name, children by stack and UID.

kopf's own indices cannot forget an object whose deletion was missed while a watch was broken; this store can, after an
audit.
"""

from collections.abc import Iterable, Iterator

from coderag_operator.desired import ROLES
from coderag_operator.engine.workqueue import Key
from coderag_operator.observed.child import Child, Live


class Store:
    """Only the event loop changes it; a pass gets a snapshot."""

    def __init__(self) -> None:
        self._stacks: dict[Key, Live] = {}
        self._children: dict[Key, dict[str, Child]] = {}
        self._homes: dict[str, Key] = {}  # where each child is, by UID
        self._model_pods: dict[str, Child] = {}

    def __iter__(self) -> Iterator[Key]:
        """Yield the key of every stack."""
        return iter(tuple(self._stacks))

    def __len__(self) -> int:
        """Return how many stacks there are."""
        return len(self._stacks)

    def put_stack(self, body: Live) -> Key:
        """Keep a stack as it is now, without who manages which field: that is half of the object."""
        metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
        key = (metadata["namespace"], metadata["name"])
        self._stacks[key] = {**body, "metadata": metadata}
        return key

    def drop_stack(self, key: Key, uid: str) -> bool:
        """Forget a stack, unless another of its name has come already."""
        if key not in self._stacks or self._stacks[key]["metadata"]["uid"] != uid:
            return False
        del self._stacks[key]
        return True

    def put_child(self, child: Child) -> Key | None:
        """Keep a child as it is now; returns the stack that it was taken from when somebody changed its label."""
        key = (child.namespace, child.stack)
        before = self._homes.get(child.uid, key)
        if before != key:
            self._remove(before, child.uid)
        self._homes[child.uid] = key
        if child.kind == "Pod" and child.component in ROLES:
            self._model_pods[child.uid] = child
        self._children.setdefault(key, {})[child.uid] = child
        return before if before != key else None

    def drop_child(self, child: Child) -> Key:
        """Forget a child."""
        key = self._homes.pop(child.uid, (child.namespace, child.stack))
        self._model_pods.pop(child.uid, None)
        self._remove(key, child.uid)
        return key

    def _remove(self, key: Key, uid: str) -> None:
        children = self._children.get(key, {})
        children.pop(uid, None)
        if not children:
            self._children.pop(key, None)

    def stack(self, key: Key) -> Live | None:
        """Return a stack, None when there is none."""
        return self._stacks.get(key)

    def children(self, key: Key) -> tuple[Child, ...]:
        """Return the children of a stack."""
        return tuple(self._children.get(key, {}).values())

    def child(self, key: Key, kind: str, component: str) -> Child | None:
        """Return the child of a kind that belongs to a component, None when there is none."""
        children = self._children.get(key, {}).values()
        return next((child for child in children if child.kind == kind and child.component == component), None)

    def model_pods(self) -> tuple[Child, ...]:
        """Return the pods of all model servers."""
        return tuple(self._model_pods.values())

    def of_kind(self, kind: str) -> Iterable[Child]:
        """Return every child of a kind, of whichever stack."""
        return [child for children in self._children.values() for child in children.values() if child.kind == kind]
