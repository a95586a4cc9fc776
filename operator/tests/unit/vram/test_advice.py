"""A refusal: what is missing for what, and changes that really do; the cheapest comes first."""

from dataclasses import replace
from typing import Any

import pytest
from coderag_model.geometry import Geometry
from coderag_operator.vram import search
from coderag_operator.vram.advice import Change, Refusal, shortages
from coderag_operator.vram.builds import NEW, BuildRule
from coderag_operator.vram.estimate import Estimate
from coderag_operator.vram.planner import Plan, Wish, plan_memory
from coderag_operator.vram.terms import Shape, Term
from coderag_operator.vram.wish import Limits
from hypothesis import assume, given, settings
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.small_models import RULES, WISHES, limits

CHAT = Wish(CHAT_3B, context_tokens=4096, min_context_tokens=4096, parallel=2, gpu_layers="All", kv_type="q8_0")
CODE = Wish(CODE_7B, context_tokens=4096, min_context_tokens=4096, parallel=2, gpu_layers="All", kv_type="q8_0")


def refused(budget_mib: int, chat: Wish | None = CHAT, code: Wish | None = CODE, **options: Any) -> Refusal:
    found = planned({role: wish for role, wish in (("chat", chat), ("code", code)) if wish}, budget_mib, **options)
    assert found.refusal
    return found.refusal


def planned(wishes: dict[str, Wish], budget_mib: int, **options: Any) -> Plan:
    return plan_memory(wishes, budget_mib, NEW, 160.0, **options)


def least(chat: Wish | None = CHAT, code: Wish | None = CODE) -> int:
    """Return the smallest budget that fits, as the refusal of a tiny one tells it."""
    budget = refused(1, chat, code).changes[-1].value.budget_mib
    assert isinstance(budget, int)
    return budget


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"kv_type": "f16"}, "set kvCacheType of code to q8_0"),
        ({"ubatch": 512}, "set ubatchTokens of code to 256"),
        ({}, "set parallel of code to 1"),
        ({"parallel": 1, "gpu_layers": 21}, "set gpuLayers of code to 20"),
    ],
)
def test_the_cheapest_change_is_the_one_that_a_plan_would_have_made_first(wish: dict[str, Any], text: str) -> None:
    short = {"min_context_tokens": 1024, "context_tokens": 1024}
    chat, code = replace(CHAT, **short, parallel=1), replace(CODE, **short | wish)
    assert refused(least(chat, code) - 1, chat, code).cheapest.text == text


def test_a_shorter_context_is_the_longest_that_fits() -> None:
    budget = least() - 20
    cheapest = refused(budget).cheapest
    assert (cheapest.field, cheapest.role, cheapest.text) == (
        "min_context_tokens",
        "code",
        f"set minContextTokens of code to {cheapest.value}",
    )
    longer = replace(CODE, min_context_tokens=cheapest.value + 256)
    assert not planned({"chat": CHAT, "code": longer}, budget).fits


def test_no_context_below_1024_tokens_is_advised() -> None:
    short = {"context_tokens": 1280, "min_context_tokens": 1280}
    chat, code = replace(CHAT, **short), replace(CODE, **short)
    at_1024 = least(chat, replace(code, min_context_tokens=1024))
    assert refused(at_1024, chat, code).cheapest.text == "set minContextTokens of code to 1024"
    assert "Context" not in refused(at_1024 - 1, chat, code).cheapest.text


def test_a_precise_cache_is_advised_where_the_quantised_one_takes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def costly(geometry: Geometry, shape: Shape, rule: BuildRule, overhead_mib: float) -> Estimate:
        return Estimate((Term("kv", {"f16": 100.0, "q8_0": 110.0}[shape.kv_type], ""),), ())

    monkeypatch.setattr(search, "estimate", costly)
    assert refused(215).cheapest.text == "set kvCacheType of code to f16"
    assert refused(205).cheapest.text == "put code on the CPU: set its gpuLayers to 0"


def test_where_nothing_milder_does_a_model_goes_to_the_cpu() -> None:
    auto = {"gpu_layers": "Auto", "parallel": 1, "min_context_tokens": 1024}
    texts = [change.text for change in refused(2000, replace(CHAT, **auto), replace(CODE, **auto)).changes]
    assert texts[0] == "put code on the CPU: set its gpuLayers to 0"
    assert texts[-1].startswith("raise budgetMiB to ")


def test_no_fewer_layers_are_advised_than_a_plan_would_choose() -> None:
    code = replace(CODE, gpu_layers=20, parallel=1)
    fewest = least(code=replace(code, gpu_layers=8))
    assert "set gpuLayers of code to 8" in [change.text for change in refused(fewest, code=code).changes]
    texts = [change.text for change in refused(fewest - 1, code=code).changes]
    assert not any(text.startswith("set gpuLayers of code") for text in texts)


def test_a_model_that_is_on_the_cpu_is_not_put_there() -> None:
    assert not [change for change in refused(100, replace(CHAT, gpu_layers=0)).changes if change.role == "chat"]


def test_one_model_alone_gets_advice_for_itself() -> None:
    assert {change.role for change in refused(1500, code=None).changes} <= {"chat", ""}


@pytest.mark.parametrize("changes", [{}, {"gpu_layers": "Auto", "kv_type": "Auto"}])
def test_the_budget_that_would_do_is_the_smallest(changes: dict[str, Any]) -> None:
    chat, code = replace(CHAT, **changes), replace(CODE, **changes)
    budget = least(chat, code)
    assert planned({"chat": chat, "code": code}, budget).fits
    assert not planned({"chat": chat, "code": code}, budget - 1).fits


def test_a_split_device_needs_more_for_the_larger_server() -> None:
    larger = refused(20000, per_server_mib=3000).changes[-1]
    need = larger.value.per_server_mib
    assert larger.text == f"give each server {need} MiB, and all 20000"
    assert planned({"chat": CHAT, "code": CODE}, 20000, per_server_mib=need).fits
    assert not planned({"chat": CHAT, "code": CODE}, 20000, per_server_mib=need - 1).fits


def test_the_deficit_is_told_for_each_term_and_the_terms_add_up() -> None:
    refusal, total = refused(5000), planned({"chat": CHAT, "code": CODE}, 5000).total_mib
    missing = {(one.role, one.term): one.missing_mib for one in refusal.shortages}
    assert refusal.deficit_mib == pytest.approx(total - 5000)
    assert sum(missing.values()) == pytest.approx(total - 5000)
    assert missing["chat", "weights"] == missing["code", "overhead"] == 0  # chat first, and what nothing runs without
    assert missing["code", "kv"] == pytest.approx(238)


def test_on_a_split_device_only_what_does_not_fit_its_part_is_missing() -> None:
    missing = {(one.role, one.term): one.missing_mib for one in refused(20000, per_server_mib=4300).shortages}
    assert {role for (role, _), mib in missing.items() if mib} == {"code"}


def test_a_term_of_an_unknown_kind_is_covered_last() -> None:
    found = Estimate((Term("scratch", 10, ""), Term("kv", 10, "")), ())
    names = [(one.term, one.missing_mib) for one in shortages({"chat": found}, Limits(15))]
    assert names == [("kv", 0), ("scratch", 5)]


@settings(max_examples=60)
@given(WISHES, limits(), RULES)
def test_every_change_of_a_refusal_applied_fits(wishes: dict[str, Wish], limit: Limits, rule: BuildRule) -> None:
    found = plan_memory(wishes, limit.budget_mib, rule, 10, limit.per_server_mib)
    assume(found.refusal)
    assert found.refusal
    assert found.refusal.deficit_mib > 0
    for change in found.refusal.changes:
        assert applied(change, wishes, limit, rule).fits


@settings(max_examples=60)
@given(WISHES, limits(), RULES)
def test_no_milder_value_of_a_change_would_do(wishes: dict[str, Wish], limit: Limits, rule: BuildRule) -> None:
    found = plan_memory(wishes, limit.budget_mib, rule, 10, limit.per_server_mib)
    assume(found.refusal)
    assert found.refusal
    steps = {"min_context_tokens": 256, "parallel": 1, "gpu_layers": 1}
    for change in found.refusal.changes:
        if change.field in steps and change.value and change.value + steps[change.field] < before(change, wishes):
            milder = replace(change, value=change.value + steps[change.field])
            assert not applied(milder, wishes, limit, rule).fits


def before(change: Change, wishes: dict[str, Wish]) -> int:
    wish = wishes[change.role]
    return wish.given_layers or 0 if change.field == "gpu_layers" else int(getattr(wish, change.field))


def applied(change: Change, wishes: dict[str, Wish], limit: Limits, rule: BuildRule) -> Plan:
    changed, raised = change.apply(wishes, limit)
    return plan_memory(changed, raised.budget_mib, rule, 10, raised.per_server_mib)


def test_a_plan_takes_few_estimates_however_much_there_is_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    plain = search.estimate

    def counted(*arguments: Any) -> Estimate:
        asked.append(arguments)
        return plain(*arguments)

    monkeypatch.setattr(search, "estimate", counted)
    long = {"context_tokens": 1_000_000, "min_context_tokens": 500_000}
    auto = {"gpu_layers": "Auto", "kv_type": "Auto"}
    for changes in (long, auto, long | auto, {"gpu_layers": 30, "ubatch": 512}):
        for budget in range(500, 40000, 1500):
            asked.clear()
            planned({"chat": replace(CHAT, **changes), "code": replace(CODE, **changes)}, budget)
            assert len(asked) < 70  # a fraction of a millisecond each: what keeps a plan below 50 ms
