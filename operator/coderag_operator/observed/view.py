"""Everything that conditions and status are made from, as one value; and the few questions that both ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from coderag_operator.observed.components import Component
from coderag_operator.observed.evaluation import Evaluation
from coderag_operator.observed.index import Index
from coderag_operator.observed.outlook import UNPLANNED, Outlook
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.roles import RoleState, Rollout
from coderag_operator.observed.vram import Measured

ROLES = {"chat": "code", "code": "chat"}  # a role, and who stands in for it


class Why(Protocol):
    """Why a component is left as it is; the builders' own type says the same."""

    @property
    def reason(self) -> str:
        """Return the reason in one word."""
        ...

    @property
    def message(self) -> str:
        """Return the reason for people."""
        ...


@dataclass(frozen=True, slots=True)
class Fetch:
    """A model file that a role needs: present, failed for good, or on its way."""

    role: str
    fetched: bool
    final: bool = False
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class View:
    """Everything that the conditions are made from. `invalid` is why the spec of this generation is not followed.

    `alive`: some component has pods. `suspended` holds during maintenance too. `refs`: by repository, those that
    are wanted besides its own.
    """

    generation: int
    components: Mapping[str, Component]
    external: frozenset[str] = frozenset()
    frozen: Mapping[str, Why] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fetches: tuple[Fetch, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    repositories: tuple[str, ...] = ()
    refs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    index: Index | None = None
    invalid: str = ""
    suspended: bool = False
    maintenance: bool = False
    alive: bool = True
    roles: Mapping[str, RoleState] = field(default_factory=dict)
    unfinished: bool = False
    outlook: Outlook = UNPLANNED
    measured: Mapping[str, Measured] = field(default_factory=dict)
    evaluation: Evaluation | None = None

    def serves(self, role: str) -> bool:
        """Tell whether a role's own model answers, as far as the cluster shows."""
        return role in self.external or self.serving(role)

    def serving(self, component: str) -> bool:
        """Tell whether a component has a ready pod, of whichever generation."""
        return component in self.components and self.components[component].serving

    def rollout(self, role: str) -> Rollout | None:
        """Return the rollout of a role that is under way, None when there is none or it was undone."""
        return self.roles[role].under_way if role in self.roles else None

    def active(self, role: str) -> str:
        """Return which model answers for a role through the gateway, empty when none does."""
        if role in self.stand_ins:
            return self.stand_ins[role]
        return next((one for one in (role, ROLES[role]) if self.serves(one)), "")
