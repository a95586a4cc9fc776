"""Why a plan is refused, and which single change would make it fit: each is tried by planning again."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.estimate import Estimate
from coderag_operator.vram.kv import CELLS
from coderag_operator.vram.search import KV_TYPES, UBATCHES, Knob, Search, fewest_layers, first_holding
from coderag_operator.vram.terms import Term
from coderag_operator.vram.wish import ROLES, Limits, Wish

SHORTEST_CONTEXT = 1024  # tokens; a shorter one is no use to anybody, so it is never advised
COVERED_FIRST = ("overhead", "weights", "compute", "kv")  # nothing runs without the first, the last can be cut most

Wishes = Mapping[str, Wish]


@dataclass(frozen=True, slots=True)
class Shortage:
    """What the budget lacks for one term of one server, in MiB."""

    role: str
    term: str
    needed_mib: float
    missing_mib: float


@dataclass(frozen=True, slots=True)
class Change:
    """One change that makes the plan fit: of a field of one role's wish, or of the limits (then `role` is empty)."""

    field: str
    role: str
    value: Any
    text: str

    def apply(self, wishes: Wishes, limits: Limits) -> tuple[dict[str, Wish], Limits]:
        """Return the wishes and limits with the change made."""
        if not self.role:
            return dict(wishes), self.value
        return {**wishes, self.role: replace(wishes[self.role], **{self.field: self.value})}, limits


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is missing, term by term, and the changes that would do, the cheapest first; there is always one."""

    shortages: tuple[Shortage, ...]
    changes: tuple[Change, ...]

    @property
    def deficit_mib(self) -> float:
        """What is missing in all, in MiB."""
        return sum(shortage.missing_mib for shortage in self.shortages)

    @property
    def cheapest(self) -> Change:
        """The change that gives up what matters least."""
        return self.changes[0]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of change: the field of a wish, the values that it could have, mildest first, and how to say it."""

    field: str
    values: Callable[[Wish, BuildRule], Knob]
    text: str

    def mildest(self, role: str, values: Knob, fits: Callable[[Change], bool]) -> Iterator[Change]:
        """Yield the change of a role's wish to the first of these values that fits, if one does."""
        place = first_holding(values, lambda value: fits(self._change(role, value)))
        yield from (self._change(role, value) for value in values[place : place + 1])

    def _change(self, role: str, value: Any) -> Change:
        return Change(self.field, role, value, self.text.format(role=role, value=value))


# In the order in which a plan itself gives things up.
_KINDS = (
    _Kind("kv_type", lambda wish, _: _other_type(wish), "set kvCacheType of {role} to {value}"),
    _Kind("ubatch", lambda wish, _: _smaller(wish), "set ubatchTokens of {role} to {value}"),
    _Kind("min_context_tokens", lambda wish, _: _shorter(wish), "set minContextTokens of {role} to {value}"),
    _Kind("parallel", lambda wish, _: range(wish.parallel - 1, 0, -1), "set parallel of {role} to {value}"),
    _Kind("gpu_layers", lambda wish, rule: _fewer(wish, rule), "set gpuLayers of {role} to {value}"),
    _Kind("gpu_layers", lambda *_: (0,), "put {role} on the CPU: set its gpuLayers to 0"),
)


def _other_type(wish: Wish) -> Knob:
    """Return the KV type that the user did not give: mostly the smaller one, though f16 may be (see Search.knobs)."""
    return () if wish.kv_type == "Auto" else tuple(kv_type for kv_type in KV_TYPES if kv_type != wish.kv_type)


def _smaller(wish: Wish) -> Knob:
    return tuple(ubatch for ubatch in UBATCHES if wish.ubatch is not None and ubatch < wish.ubatch)


def _shorter(wish: Wish) -> Knob:
    return range((wish.min_context_tokens - 1) // CELLS * CELLS, SHORTEST_CONTEXT - 1, -CELLS)


def _fewer(wish: Wish, rule: BuildRule) -> Knob:
    """Return fewer layers than the user gave; where the planner may choose it has tried them."""
    return range((wish.given_layers or 0) - 1, fewest_layers(wish, rule) - 1, -1)


def refuse(search: Search, wishes: Wishes, limits: Limits, rule: BuildRule) -> Refusal:
    """Return why these wishes do not fit, and what would; only for wishes of which the search finds that."""
    needed = search.estimates(search.least())
    changes = [*_changes(search, wishes, limits, rule), _larger(needed, limits)]
    return Refusal(tuple(shortages(needed, limits)), tuple(changes))


def shortages(needed: Mapping[str, Estimate], limits: Limits) -> Iterator[Shortage]:
    """Yield every term with what the limits lack for it, when they are spent in order: chat first, overhead first."""
    left = float(limits.budget_mib)
    for role, found in needed.items():
        own = left if limits.per_server_mib is None else min(left, limits.per_server_mib)
        for term in sorted(found.device, key=_rank):
            covered = min(term.mib, own)
            own, left = own - covered, left - covered
            yield Shortage(role, term.name, term.mib, term.mib - covered)


def _rank(term: Term) -> int:
    return COVERED_FIRST.index(term.name) if term.name in COVERED_FIRST else len(COVERED_FIRST)


def _changes(search: Search, wishes: Wishes, limits: Limits, rule: BuildRule) -> Iterator[Change]:
    """Yield the mildest change of each kind for each role that fits; of code before of chat."""

    def fits(change: Change) -> bool:
        changed, _ = change.apply(wishes, limits)
        return search.changed(changed).any_fits(limits)

    for kind in _KINDS:
        for role in reversed([role for role in ROLES if role in wishes]):
            yield from kind.mildest(role, kind.values(wishes[role], rule), fits)


def _larger(needed: Mapping[str, Estimate], limits: Limits) -> Change:
    """Return the limits that would do: more memory always helps, and is rarely to be had."""
    totals = [found.total_mib for found in needed.values()]
    budget = max(limits.budget_mib, math.ceil(sum(totals)))
    if limits.per_server_mib is None or max(totals) <= limits.per_server_mib:
        return Change("budget_mib", "", Limits(budget, limits.per_server_mib), f"raise budgetMiB to {budget}")
    share = math.ceil(max(totals))
    return Change("budget_mib", "", Limits(budget, share), f"give each server {share} MiB, and all {budget}")
