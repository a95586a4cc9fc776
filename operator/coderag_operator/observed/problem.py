"""Something that keeps an object from its desired state. Found by the plan, by the API server, or while reading."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One object that cannot be brought to its desired state, and what to do about it."""

    component: str
    kind: str
    name: str
    reason: str
    message: str
    needs_person: bool = True
