"""From live objects to facts: small projections that are cheap to keep, and pure functions that read them."""

from coderag_operator.observed.child import Child, project

__all__ = ["Child", "project"]
