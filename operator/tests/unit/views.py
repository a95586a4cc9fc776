"""Views of stacks for the tests of conditions and status."""

from dataclasses import replace
from typing import Any

from coderag_operator.observed.components import Component
from coderag_operator.observed.index import Index, Repository
from coderag_operator.observed.view import View

NAMES = ("qdrant", "embedding", "rag", "ingestion", "chat", "code", "gateway")
SERVED = Index(True, "id", (Repository("app", "main", "Served", "a1b2c3d4e5f6"),))


def up(name: str) -> Component:
    return Component(name, True, True, "PodsReady", f"{name} is ready")


def down(name: str, serving: bool = False) -> Component:
    return Component(name, False, serving, "NotReady", f"{name} has 0 of 1 pods ready")


def view(*broken: str, **changes: Any) -> View:
    """Return the view of a stack that serves, apart from what is named."""
    components = {name: down(name) if name in broken else up(name) for name in NAMES}
    healthy = View(generation=4, components=components, repositories=("app",), index=SERVED)
    return replace(healthy, **changes)


def without(given: View, *names: str) -> View:
    """Return a view in which these roles are served from outside."""
    kept = {name: one for name, one in given.components.items() if name not in names}
    return replace(given, components=kept, external=frozenset(names))
