"""The order in which a plan gives things up, and the best choice in that order.

Given up first is the precision of the KV cache, then the size of a batch, then context, then layers of code, then
layers of chat. A choice is better than another when it is better in the most precious thing in which they differ.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coderag_operator.vram.builds import BuildRule
from coderag_operator.vram.estimate import Estimate, estimate
from coderag_operator.vram.kv import CELLS, padded
from coderag_operator.vram.terms import Shape, Term
from coderag_operator.vram.wish import ROLES, Limits, Wish

UBATCHES = (512, 256)
KV_TYPES = ("f16", "q8_0")
USABLE_SHARE = 0.25  # with fewer of its blocks on the device a model is slower than it is worth the memory

Knob = Sequence[Any]  # the values that it can have, best first
Shapes = dict[str, Shape]


def fewest_layers(wish: Wish, rule: BuildRule) -> int:
    """Return the fewest layers, as --n-gpu-layers, with which the device is worth its memory."""
    return math.ceil(wish.geometry.layers * USABLE_SHARE) + int(rule.output_first)


def first_holding(knob: Knob, holds: Callable[[Any], bool]) -> int:
    """Return the place of the first value that holds, or the length: what is worse takes less, so halving finds it."""
    return bisect_left(knob, True, key=holds)


class Search:
    """Plans for the wishes of one stack; every shape is estimated once."""

    def __init__(self, wishes: Mapping[str, Wish], rule: BuildRule, overhead_mib: float) -> None:
        self._wishes = {role: wishes[role] for role in ROLES if role in wishes}
        self._rule, self._overhead = rule, overhead_mib
        self._known: dict[tuple[str, Shape], Estimate] = {}

    def changed(self, wishes: Mapping[str, Wish]) -> "Search":
        """Return the search for other wishes of the same models; what is estimated already stays so."""
        other = Search(wishes, self._rule, self._overhead)
        other._known = self._known
        return other

    def knobs(self) -> list[Knob]:
        """Return what can be chosen, the most precious first: layers of each model, the longest context, the batch.

        The KV type comes after them; it is no knob, because what a quantised cache takes in passing may be more than
        it saves.
        """
        return [*(self._layers(wish) for wish in self._wishes.values()), self._contexts(), UBATCHES]

    def shapes(self, values: Sequence[Any], kv_type: str) -> Shapes:
        """Return the servers for one value of each knob."""
        *layers, longest, ubatch = values
        return {
            role: Shape(
                gpu_layers=number,
                # The longest context is cut first, so that no slot is cut while another has more.
                context_tokens=max(wish.min_context_tokens, min(wish.context_tokens, longest)),
                slots=wish.parallel,
                kv_type=kv_type if wish.kv_type == "Auto" else wish.kv_type,
                ubatch=ubatch if wish.ubatch is None else wish.ubatch,
            )
            for (role, wish), number in zip(self._wishes.items(), layers, strict=True)
        }

    def least(self) -> Shapes:
        """Return the servers with everything given up that may be: if these do not fit, nothing does."""
        values = [knob[-1] for knob in self.knobs()]
        return min((self.shapes(values, kv_type) for kv_type in KV_TYPES), key=lambda one: sum(self._totals(one)))

    def best(self, limits: Limits) -> Shapes | None:
        """Return the best servers that fit, None when none do.

        One knob after the other is set to its best value with which the rest, all given up, still fits. That is
        the best choice in the order, because a server only shrinks with each knob.
        """
        knobs = self.knobs()
        values = [knob[-1] for knob in knobs]
        if not self._hold(values, limits):
            return None
        for place, knob in enumerate(knobs):
            values[place] = self._best_value(knob, values, place, limits)
        return self._fitting(values, limits)

    def any_fits(self, limits: Limits) -> bool:
        """Return whether there are servers that fit; much cheaper than asking for the best."""
        return self._hold([knob[-1] for knob in self.knobs()], limits)

    def estimates(self, shapes: Shapes) -> dict[str, Estimate]:
        """Return what each server takes."""
        return {role: self._estimate(role, shape) for role, shape in shapes.items()}

    def _totals(self, shapes: Shapes) -> list[float]:
        return [found.total_mib for found in self.estimates(shapes).values()]

    def _fitting(self, values: Sequence[Any], limits: Limits) -> Shapes | None:
        """Return the servers for these values in the most precise KV type that fits."""
        offers = (self.shapes(values, kv_type) for kv_type in KV_TYPES)
        return next((shapes for shapes in offers if limits.hold(self._totals(shapes))), None)

    def _hold(self, values: Sequence[Any], limits: Limits) -> bool:
        """Return whether these values fit in any KV type; the smaller one is the likelier."""
        return any(limits.hold(self._totals(self.shapes(values, kv_type))) for kv_type in reversed(KV_TYPES))

    def _best_value(self, knob: Knob, values: list[Any], place: int, limits: Limits) -> Any:
        def holds(value: Any) -> bool:
            return self._hold([*values[:place], value, *values[place + 1 :]], limits)

        return knob[first_holding(knob, holds)]

    def _layers(self, wish: Wish) -> Knob:
        if wish.given_layers is not None:
            return (wish.given_layers,)
        return range(wish.all_layers, fewest_layers(wish, self._rule) - 1, -1)

    def _contexts(self) -> Knob:
        most = max((padded(wish.context_tokens) for wish in self._wishes.values()), default=CELLS)
        least = min((padded(wish.min_context_tokens) for wish in self._wishes.values()), default=CELLS)
        return range(most, least - 1, -CELLS)

    def _estimate(self, role: str, shape: Shape) -> Estimate:
        known = self._known.get((role, shape))
        if known is None:
            known = estimate(self._wishes[role].geometry, shape, self._rule, self._overhead)
            known = on_the_processor(known) if shape.gpu_layers == 0 else known
            self._known[role, shape] = known
        return known


def on_the_processor(found: Estimate) -> Estimate:
    """Return the estimate of a server that is given no device at all: what it would compute there, it computes here."""
    computed = tuple(term for term in found.device if term.name == "compute")
    return Estimate(tuple(Term(term.name, 0.0, term.formula) for term in found.device), found.host + computed)
