"""The planner: what it gives up and in which order; no better plan exists, and none is too large."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from coderag_model.geometry import Geometry
from coderag_operator.vram import search
from coderag_operator.vram.builds import MID, NEW, OLD, BuildRule
from coderag_operator.vram.estimate import Estimate, estimate
from coderag_operator.vram.placement import place
from coderag_operator.vram.planner import OVERHEAD_MIB, Plan, Wish, plan_memory
from coderag_operator.vram.terms import Shape, Term
from coderag_operator.vram.wish import Limits
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.small_models import RULES, WISHES, limits

CHAT = Wish(CHAT_3B, context_tokens=4096, min_context_tokens=2048, parallel=1)
CODE = Wish(CODE_7B, context_tokens=4096, min_context_tokens=2048, parallel=1)


def plan(budget_mib: int, chat: Wish | None = CHAT, code: Wish | None = CODE, **options: Any) -> Plan:
    wishes = {role: wish for role, wish in (("code", code), ("chat", chat)) if wish}
    return plan_memory(wishes, budget_mib, **{"rule": NEW, "overhead_mib": 160.0, **options})


def shape(found: Plan, role: str) -> tuple[int, int, str, int]:
    chosen = found.models[role].shape
    return chosen.gpu_layers, chosen.context_tokens, chosen.kv_type, chosen.ubatch


def need(geometry: Geometry, shape: tuple[int, int, str, int]) -> float:
    layers, context, kv_type, ubatch = shape
    return estimate(geometry, Shape(layers, context, 1, kv_type, ubatch), NEW, 160).total_mib


@pytest.mark.parametrize(
    ("chat", "code"),
    [
        ((37, 4096, "f16", 512), (29, 4096, "f16", 512)),
        ((37, 4096, "q8_0", 512), (29, 4096, "q8_0", 512)),
        ((37, 4096, "q8_0", 256), (29, 4096, "q8_0", 256)),
        ((37, 3840, "q8_0", 256), (29, 3840, "q8_0", 256)),
        ((37, 2048, "q8_0", 256), (29, 2048, "q8_0", 256)),
        ((37, 2048, "q8_0", 256), (28, 2048, "q8_0", 256)),
        ((37, 2048, "q8_0", 256), (8, 2048, "q8_0", 256)),
        ((36, 2048, "q8_0", 256), (8, 2048, "q8_0", 256)),
        ((10, 2048, "q8_0", 256), (8, 2048, "q8_0", 256)),
    ],
)
def test_precision_goes_before_batch_before_context_before_layers_of_code_before_layers_of_chat(
    chat: tuple[int, int, str, int], code: tuple[int, int, str, int]
) -> None:
    budget = math.ceil(need(CHAT_3B, chat) + need(CODE_7B, code))
    found = plan(budget)
    assert (shape(found, "chat"), shape(found, "code"), found.fits) == (chat, code, True)
    less = plan(budget - 1)
    assert (shape(less, "chat"), shape(less, "code")) != (chat, code) or not less.fits


def test_the_longest_context_is_cut_first() -> None:
    chat = replace(CHAT, context_tokens=16384, min_context_tokens=2048)
    found = plan(6800, chat=chat)
    cut = found.models["chat"].shape.context_tokens
    assert 4096 <= cut < 16384
    assert found.models["code"].shape.context_tokens == 4096


def test_no_context_is_cut_below_what_it_must_have() -> None:
    found = plan(6600, chat=replace(CHAT, min_context_tokens=4000), code=replace(CODE, min_context_tokens=1000))
    assert found.models["chat"].shape.context_tokens == 4000
    assert found.models["code"].shape.context_tokens < 4000


@pytest.mark.parametrize("rule", [OLD, MID, NEW])
def test_a_model_keeps_at_least_a_quarter_of_its_blocks_on_the_device(rule: BuildRule) -> None:
    least = min(budget for budget in range(2000, 4000, 20) if plan(budget, rule=rule).fits)
    for role, wish in (("chat", CHAT), ("code", CODE)):
        number = plan(least, rule=rule).models[role].shape.gpu_layers
        assert len(place(wish.geometry.layers, number, rule).on_device) >= wish.geometry.layers / 4


@pytest.mark.parametrize("rule", [OLD, MID, NEW])
@pytest.mark.parametrize(
    ("usable", "overhead", "layers"),
    [(5072, 160, {NEW: 15}), (5072, 320, {NEW: 12}), (5580, 160, {NEW: 19, MID: 17, OLD: 17}), (5580, 320, {NEW: 16})],
)
def test_the_code_model_gets_the_layers_that_the_study_found(
    rule: BuildRule, usable: int, overhead: float, layers: dict[BuildRule, int]
) -> None:
    if rule not in layers:
        return
    full = {"context_tokens": 4096, "min_context_tokens": 4096}
    found = plan(usable - 256, replace(CHAT, **full), replace(CODE, **full), rule=rule, overhead_mib=overhead)
    assert abs(shape(found, "code")[0] - layers[rule]) <= 1  # its compute buffer is one formula older


def test_numbers_of_the_user_are_never_changed() -> None:
    for budget in range(2000, 8000, 250):
        found = plan(budget, replace(CHAT, gpu_layers="All"), replace(CODE, gpu_layers=20, kv_type="f16", ubatch=1024))
        assert shape(found, "chat")[0] == 37
        assert (shape(found, "code")[0], *shape(found, "code")[2:]) == (20, "f16", 1024)


def test_more_layers_than_a_model_has_are_all_of_them() -> None:
    assert plan(24000, replace(CHAT, gpu_layers=999)).models["chat"].shape.gpu_layers == 37


def test_a_model_with_no_layers_on_the_device_takes_nothing_of_it() -> None:
    found = plan(4696, replace(CHAT, gpu_layers=0)).models["chat"].estimate
    assert found.total_mib == 0
    assert {term.name for term in found.host} >= {"weights", "kv", "compute"}


def test_one_model_alone_is_planned_alone() -> None:
    assert list(plan(2300, code=None).models) == ["chat"]
    assert plan(2300, code=None).fits


def test_nothing_to_plan_takes_nothing() -> None:
    assert (plan(10, None, None).fits, plan(10, None, None).total_mib) == (True, 0)


def test_the_plan_says_what_full_offload_as_wished_would_take() -> None:
    found = plan(5000)
    assert sum(model.in_full.total_mib for model in found.models.values()) == pytest.approx(6918.4, rel=0.01)


def test_full_offload_keeps_what_the_user_gave() -> None:
    given = plan(5000, replace(CHAT, kv_type="q8_0", ubatch=256), code=None).models["chat"].in_full
    assert given == estimate(CHAT_3B, Shape(37, 4096, 1, "q8_0", 256), NEW, 160)


def test_a_split_device_limits_each_server() -> None:
    found = plan(5600, per_server_mib=2800)
    assert shape(found, "chat")[0] == 37
    assert shape(found, "code")[0] < plan(5600).models["code"].shape.gpu_layers
    assert all(model.estimate.total_mib <= 2800 for model in found.models.values())


def test_what_takes_all_there_is_fits() -> None:
    assert Limits(10, 6).hold([6.0, 4.0])
    assert not Limits(10, 6).hold([6.25, 1.0])
    assert not Limits(10, 6).hold([6.0, 4.25])


def test_the_overhead_of_a_process_is_counted_for_each() -> None:
    wishes = {"chat": CHAT, "code": CODE}
    assert plan_memory(wishes, 24000, NEW).total_mib - plan(24000).total_mib == 2 * (OVERHEAD_MIB - 160)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("min_context_tokens", {"min_context_tokens": 5000}),
        ("min_context_tokens", {"min_context_tokens": 0}),
        ("parallel", {"parallel": 0}),
        ("ubatch", {"ubatch": 0}),
        ("gpu_layers", {"gpu_layers": -1}),
    ],
)
def test_a_wish_that_no_server_can_be_names_its_field(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=field):
        replace(CHAT, **change)


def test_a_cache_that_takes_more_when_quantised_stays_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    def costly(geometry: Geometry, shape: Shape, rule: BuildRule, overhead_mib: float) -> Estimate:
        plain = estimate(geometry, replace(shape, kv_type="f16"), rule, overhead_mib)
        return replace(plain, device=(*plain.device, Term("kv", 200.0 if shape.kv_type == "q8_0" else 0.0, "")))

    monkeypatch.setattr(search, "estimate", costly)
    for budget in (1500, 2000, 2300):
        assert plan(budget, code=None).models["chat"].shape.kv_type == "f16"
    assert plan(2000, code=None).fits


def choices(wish: Wish, rule: BuildRule) -> Iterator[int]:
    """Yield every number of layers that a wish allows, by looking at each placement."""
    layers = wish.geometry.layers
    if wish.gpu_layers != "Auto":
        yield layers + 1 if wish.gpu_layers == "All" else min(wish.gpu_layers, layers + 1)
        return
    for number in range(layers + 2):
        if len(place(layers, number, rule).on_device) * 4 >= layers:
            yield number


def all_plans(wishes: dict[str, Wish], rule: BuildRule) -> Iterator[tuple[tuple[int, ...], dict[str, Shape]]]:
    """Yield every plan there is, with its rank: more is better, and what comes first in a rank weighs most."""
    roles = sorted(wishes)
    longest = max(wish.context_tokens for wish in wishes.values())
    caps = [256 * step for step in range(1, math.ceil(longest / 256) + 1)]
    numbers = product(*(choices(wishes[role], rule) for role in roles))
    for layers, cap, ubatch, kv in product(numbers, caps, (256, 512), ("q8_0", "f16")):
        shapes = {}
        for role, number in zip(roles, layers, strict=True):
            wish = wishes[role]
            context = max(wish.min_context_tokens, min(wish.context_tokens, cap))
            kv_type, batch = kv if wish.kv_type == "Auto" else wish.kv_type, wish.ubatch or ubatch
            shapes[role] = Shape(number, context, wish.parallel, kv_type, batch)
        yield (*layers, cap, ubatch, int(kv == "f16")), shapes


def size(wish: Wish, shape: Shape, rule: BuildRule) -> float:
    return estimate(wish.geometry, shape, rule, 10).total_mib if shape.gpu_layers else 0.0


@settings(max_examples=60)
@given(WISHES, limits(), RULES)
def test_no_better_plan_exists(wishes: dict[str, Wish], limit: Limits, rule: BuildRule) -> None:
    fitting = [
        (rank, shapes)
        for rank, shapes in all_plans(wishes, rule)
        if limit.hold([size(wishes[role], shape, rule) for role, shape in shapes.items()])
    ]
    found = plan_memory(wishes, limit.budget_mib, rule, 10, limit.per_server_mib)
    assert found.fits == bool(fitting)
    if fitting:
        _, best = max(fitting, key=lambda pair: pair[0])
        assert {role: model.shape for role, model in found.models.items()} == best


@settings(max_examples=60)
@given(WISHES, limits(), RULES)
def test_no_plan_exceeds_its_limits_and_the_same_question_has_the_same_answer(
    wishes: dict[str, Wish], limit: Limits, rule: BuildRule
) -> None:
    found = plan_memory(wishes, limit.budget_mib, rule, 10, limit.per_server_mib)
    totals = [model.estimate.total_mib for model in found.models.values()]
    assert found.fits == limit.hold(totals)
    assert found.fits == (found.headroom_mib >= 0 and max(totals) <= (limit.per_server_mib or limit.budget_mib))
    again = plan_memory(dict(reversed(wishes.items())), limit.budget_mib, rule, 10, limit.per_server_mib)
    assert again == found


@settings(max_examples=60)
@given(WISHES, limits(), RULES, st.integers(1, 64))
def test_a_larger_budget_never_makes_a_worse_plan(
    wishes: dict[str, Wish], limit: Limits, rule: BuildRule, more: int
) -> None:
    small = plan_memory(wishes, limit.budget_mib, rule, 10)
    large = plan_memory(wishes, limit.budget_mib + more, rule, 10)
    assert large.fits >= small.fits
    assert rank(large) >= rank(small)


def rank(found: Plan) -> tuple[bool, tuple[int, ...], int]:
    shapes = [model.shape for model in found.models.values()]
    return found.fits, tuple(one.gpu_layers for one in shapes), max(one.context_tokens for one in shapes)
