"""The memory plan of a stack: what it is made from, when there is none yet, and what it says when nothing fits."""

from dataclasses import replace

import pytest
from coderag_operator.capacity import plan_capacity
from coderag_operator.desired.references import model_keys
from coderag_operator.observed.outlook import Outlook
from coderag_operator.observed.vram import Measurement, Reading, Shortfall
from coderag_operator.sharing import Sharing
from tests.specs import EXTERNAL, PVC_SOURCE, make_stack, nest
from tests.support.published_models import CHAT_3B, CODE_7B

SHARED = Sharing("TimeSlicing", "two shares", "nvidia.com/gpu", ("one",), 8188, "the node's label", 2)
CHAT, CODE = "models.chat.llamaCpp", "models.code.llamaCpp"


def look(*patches, sharing=SHARED, readings=None, shortfalls=None, free=None) -> Outlook:
    stack = make_stack(*patches)
    known = {"chat": Reading(CHAT_3B), "code": Reading(CODE_7B)} | (readings or {})
    geometries = {key: known[role] for role, key in model_keys(stack).items() if known[role] is not None}
    gpu = None if free is None else Measurement("one", "580", free)
    return plan_capacity(stack, sharing, geometries, shortfalls or {}, gpu)


def budget(mib):
    return nest("gpu.budgetMiB", mib)


def layers(outlook):
    return {role: shape.gpu_layers for role, shape in outlook.shapes.items()}


def test_both_models_are_planned_into_the_budget_of_the_user():
    outlook = look(budget(12000))
    assert (outlook.reason, layers(outlook)) == ("Fits", {"chat": 37, "code": 29})
    assert "12000 MiB in spec.gpu.budgetMiB" in outlook.message
    assert not outlook.blocked


def test_without_a_number_of_the_user_the_node_is_believed_less_what_the_driver_takes():
    assert look().plan.limits.budget_mib < 8188 - 512
    assert "8188" in look().budget_source


def test_a_reserve_of_the_user_is_taken_off_the_nodes_memory():
    less = look(nest("gpu.reserveMiB", 2512)).plan.limits.budget_mib
    assert look().plan.limits.budget_mib - less == pytest.approx(2000, abs=100)


def test_a_measurement_is_believed_before_the_label_and_after_the_user():
    assert "measured free" in look(free=7000).budget_source
    assert "budgetMiB" in look(budget(7000), free=9000).budget_source


def test_nothing_tells_how_much_there_is():
    outlook = look(sharing=replace(SHARED, memory_mib=None))
    assert (outlook.reason, outlook.blocked, outlook.pending) == ("BudgetUnknown", True, False)
    assert "spec.gpu.budgetMiB" in outlook.message
    assert "rbac.readNodes" in outlook.message


def test_a_plan_that_does_not_fit_says_what_is_missing_and_what_would_do():
    outlook = look(budget(2000))
    assert (outlook.reason, outlook.blocked, outlook.shapes) == ("Infeasible", True, {})
    assert "MiB are missing; " in outlook.message


def test_more_context_overhead_leaves_less_room_for_layers():
    tight = look(budget(5600), nest("gpu.contextOverheadMiB", 600))
    assert layers(tight)["code"] < layers(look(budget(5600)))["code"]


def test_an_older_build_is_planned_by_its_own_rule():
    assert look(budget(12000), nest("gpu.llamaBuild", 5000)).plan.rule != look(budget(12000)).plan.rule


def test_the_context_goes_down_to_the_least_before_layers_go():
    fixed = look(budget(5600), nest(f"{CODE}.contextTokens", 8192), nest(f"{CODE}.minContextTokens", 8192))
    free = look(budget(5600), nest(f"{CODE}.contextTokens", 8192), nest(f"{CODE}.minContextTokens", 1024))
    assert fixed.plan.models["code"].shape.context_tokens == 8192
    assert layers(free)["code"] > layers(fixed)["code"]


def test_what_the_user_fixed_is_not_changed():
    outlook = look(budget(9000), nest(f"{CHAT}.gpuLayers", 10), nest(f"{CHAT}.ubatchTokens", 128))
    shape = outlook.shapes["chat"]
    assert (shape.gpu_layers, shape.ubatch) == (10, 128)


def test_headers_that_nobody_has_read_are_waited_for():
    outlook = look(budget(9000), readings={"code": None})
    assert (outlook.reason, outlook.pending, outlook.blocked) == ("HeaderPending", True, True)
    assert "code" in outlook.message


def test_a_model_that_cannot_be_planned_is_named_with_a_way_out():
    outlook = look(budget(9000), readings={"code": Reading(None, "expert_count is 8: a mixture of experts")})
    assert outlook.reason == "ModelUnsupported"
    for word in ("spec.models.code", "mixture of experts", "spec.gpu.sharing", "models.code.external"):
        assert word in outlook.message


def test_a_gpu_that_cannot_be_shared_is_told_as_it_is():
    outlook = look(sharing=replace(SHARED, problem=("TooFewShares", "offer the GPU twice")))
    assert (outlook.reason, outlook.message) == ("TooFewShares", "offer the GPU twice")


@pytest.mark.parametrize(
    ("patches", "sharing"),
    [([], Sharing("None", "spec.gpu.sharing says so")), ([{"models": {"chat": EXTERNAL, "code": EXTERNAL}}], SHARED)],
)
def test_without_a_server_on_a_gpu_nothing_is_planned(patches, sharing):
    outlook = look(*patches, sharing=sharing)
    assert (outlook.needed, outlook.blocked, outlook.shapes) == (False, False, {})


def test_one_model_alone_may_take_the_whole_budget():
    assert layers(look(budget(5600), nest("models.chat", EXTERNAL))) == {"code": 29}


def test_a_model_on_a_claim_is_known_by_claim_and_path():
    on_claim = nest(f"{CHAT}.source", PVC_SOURCE)
    assert look(on_claim, budget(9000)).reason == "Fits"
    keys = {model_keys(make_stack(on_claim, nest(f"{CHAT}.source.pvc.path", path)))["chat"] for path in ("a", "b")}
    assert len(keys) == 2


def test_mps_holds_each_server_to_its_part():
    outlook = look(budget(7000), sharing=replace(SHARED, mode="MPS"))
    assert all(model.estimate.total_mib <= 8188 // 2 for model in outlook.plan.models.values())


def test_exclusive_gives_each_server_a_gpu_of_its_own():
    sharing = replace(SHARED, mode="Exclusive", replicas=1)
    assert layers(look(sharing=sharing)) == {"chat": 37, "code": 29}


def test_what_fell_short_before_is_left_free_for_the_same_plan_only():
    first = look(budget(5600))
    learnt = {"code": Shortfall(first.identities["code"], 400, 1, "ran out of memory")}
    again = look(budget(5600), shortfalls=learnt)
    assert again.plan.limits.budget_mib == 5200
    assert layers(again)["code"] < layers(first)["code"]
    assert "less 400 MiB because code ran out of memory" in again.message
    other = look(budget(5600), nest(f"{CODE}.contextTokens", 2048), shortfalls=learnt)
    assert other.plan.limits.budget_mib == 5600


@pytest.mark.parametrize(("mode", "replicas"), [("Exclusive", 1), ("MPS", 2)])
def test_what_fell_short_is_left_free_in_the_part_that_held_the_server(mode, replicas):
    sharing = replace(SHARED, mode=mode, replicas=replicas, memory_mib=4096 * replicas)
    first = look(sharing=sharing)
    learnt = {"code": Shortfall(first.identities["code"], 400, 1, "ran out of memory")}
    again = look(sharing=sharing, shortfalls=learnt)
    assert layers(again)["code"] < layers(first)["code"]
    assert again.plan.limits.per_server_mib == first.plan.limits.per_server_mib - 400


def test_what_had_to_be_given_up_is_told():
    assert "18 of 29 layers on the GPU" in look(budget(5600)).message
