"""The plan as JSON: the names of the contract, terms that add up, and a refusal only where there is one."""

import json

import pytest
from coderag_operator.vram.answer import to_json
from tests.support.vram_plans import CARD_6GB, make_plan

MODEL_FIELDS = {
    "gpuLayers", "layers", "contextTokens", "slots", "kvType", "ubatch", "weightsMiB", "kvMiB", "computeMiB",
    "overheadMiB", "totalMiB",
}  # fmt: skip
PLAN_FIELDS = {"fits", "budgetMiB", "totalMiB", "headroomMiB", "buildRule", "models"}


def test_a_plan_that_fits_has_the_fields_of_the_contract_and_no_refusal() -> None:
    found = to_json(make_plan())
    assert found.keys() >= PLAN_FIELDS
    assert "refusal" not in found
    assert "perServerMiB" not in found
    assert found["models"].keys() == {"chat", "code"}
    assert all(model.keys() >= MODEL_FIELDS for model in found["models"].values())
    assert (found["fits"], found["budgetMiB"], found["buildRule"]) == (True, CARD_6GB, "output-first, rows per slot")
    assert json.loads(json.dumps(found)) == found


def test_the_numbers_add_up() -> None:
    found = to_json(make_plan())
    for model in found["models"].values():
        parts = [model[f"{name}MiB"] for name in ("weights", "kv", "compute", "overhead")]
        assert sum(parts) == pytest.approx(model["totalMiB"], abs=0.03)
        assert {term["name"]: term["MiB"] for term in model["terms"]} == dict(
            zip(("weights", "kv", "compute", "overhead"), parts, strict=True)
        )
        assert sum(term["MiB"] for term in model["hostTerms"]) == pytest.approx(model["hostMiB"], abs=0.05)
    totals = [model["totalMiB"] for model in found["models"].values()]
    assert sum(totals) == pytest.approx(found["totalMiB"], abs=0.02)
    assert found["totalMiB"] + found["headroomMiB"] == pytest.approx(CARD_6GB, abs=0.02)
    assert found["fullOffloadMiB"] == pytest.approx(7250, rel=0.01)


def test_every_term_says_where_it_is_explained() -> None:
    model = to_json(make_plan())["models"]["code"]
    assert all(term["formula"].startswith("docs/vram.md#") for term in model["terms"] + model["hostTerms"])


def test_what_was_given_up_is_said_in_the_order_in_which_it_was() -> None:
    assert to_json(make_plan())["givenUp"][:2] == [
        "chat and code: KV cache in q8_0, not f16",
        "chat and code: prompts in batches of 256 tokens, not 512",
    ]
    assert to_json(make_plan())["givenUp"][-1].startswith("code: ")
    assert to_json(make_plan(24000))["givenUp"] == []


def test_a_shorter_context_is_given_up_where_it_may_be() -> None:
    texts = to_json(make_plan(2000, roles=("chat",)))["givenUp"]
    assert any(text.startswith("chat: a context of ") and text.endswith(" tokens, not 4096") for text in texts)


def test_numbers_of_the_user_are_not_called_given_up() -> None:
    found = to_json(make_plan(24000, gpu_layers=20, kv_type="q8_0", ubatch=256))
    assert found["givenUp"] == []


def test_a_refusal_says_what_is_missing_and_what_would_do() -> None:
    found = to_json(make_plan(gpu_layers="All"))
    refusal = found["refusal"]
    assert not found["fits"]
    assert refusal["deficitMiB"] == pytest.approx(-found["headroomMiB"], abs=0.01)
    assert refusal["cheapestChange"] == refusal["changes"][0]
    assert sum(term["missingMiB"] for term in refusal["terms"]) == pytest.approx(refusal["deficitMiB"], abs=0.1)
    assert {(term["role"], term["name"]) for term in refusal["terms"]} == {
        (role, name) for role in ("chat", "code") for name in ("weights", "kv", "compute", "overhead")
    }


def test_neither_what_is_left_nor_what_is_missing_is_rounded_to_more_or_to_nothing() -> None:
    plan = make_plan(gpu_layers="All")
    found = to_json(plan)
    assert plan.refusal
    assert found["refusal"]["deficitMiB"] >= plan.refusal.deficit_mib
    assert found["headroomMiB"] <= plan.headroom_mib


def test_the_limit_of_a_server_is_told_where_there_is_one() -> None:
    assert to_json(make_plan(per_server_mib=3000))["perServerMiB"] == 3000
