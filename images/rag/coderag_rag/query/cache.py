"""A small cache whose every key begins with the permit of the request: what one may see can never reach another."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from coderag_rag.query.access import Permit

T = TypeVar("T")


class PermitCache(Generic[T]):
    """Keeps the values that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[tuple[Permit, Hashable], T] = OrderedDict()

    def get(self, permit: Permit, key: Hashable) -> T | None:
        """Return what was kept for this permit and key."""
        found = self._values.get((permit, key))
        if found is not None:
            self._values.move_to_end((permit, key))
        return found

    def put(self, permit: Permit, key: Hashable, value: T) -> None:
        """Keep a value, and drop the one that was not used for longest when there is no room."""
        self._values[(permit, key)] = value
        self._values.move_to_end((permit, key))
        if len(self._values) > self._size:
            self._values.popitem(last=False)
