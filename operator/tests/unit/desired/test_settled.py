"""What the spec leaves open is filled in from the plan, or with what it means without one."""

import pytest
from coderag_operator.desired.references import local_servers
from coderag_operator.desired.settled import settle
from coderag_operator.vram.terms import Shape
from tests.specs import EXTERNAL, make_stack, nest

SHAPE = Shape(gpu_layers=19, context_tokens=2048, slots=2, kv_type="q8_0", ubatch=256)


def servers(*patches, shapes=None, on_gpu=True):
    return local_servers(settle(make_stack(*patches), shapes or {}, on_gpu))


def test_the_shape_of_the_plan_is_what_a_server_is_started_with():
    planned, other = servers(shapes={"code": SHAPE})["code"], servers(shapes={"code": SHAPE})["chat"]
    assert (planned.gpu_layers, planned.context_tokens, planned.parallel) == (19, 2048, 2)
    assert (planned.kv_cache_type, planned.ubatch_tokens) == ("q8_0", 256)
    assert (other.gpu_layers, other.kv_cache_type, other.ubatch_tokens) == ("All", "f16", 512)


def test_what_the_user_gave_stays_without_a_plan():
    given = [nest(f"models.chat.llamaCpp.{name}", value) for name, value in (("gpuLayers", 7), ("ubatchTokens", 128))]
    assert (servers(*given)["chat"].gpu_layers, servers(*given)["chat"].ubatch_tokens) == (7, 128)


def test_without_a_gpu_every_layer_is_on_the_processor():
    assert [one.gpu_layers for one in servers(on_gpu=False).values()] == [0, 0]


def test_an_external_model_has_nothing_to_settle():
    stack = make_stack(nest("models.chat", EXTERNAL))
    assert settle(stack, {}, on_gpu=True).spec.models.chat == stack.spec.models.chat


@pytest.mark.parametrize("shapes", [{}, {"chat": SHAPE}, {"chat": SHAPE, "code": SHAPE}])
def test_settling_twice_changes_nothing_more(shapes):
    once = settle(make_stack(), shapes, on_gpu=True)
    assert settle(once, shapes, on_gpu=True) == once


def test_the_context_may_shrink_to_2048_tokens_unless_the_user_says_otherwise():
    assert servers()["chat"].least_context == 2048
    assert servers(nest("models.chat.llamaCpp.contextTokens", 1024))["chat"].least_context == 1024
    assert servers(nest("models.chat.llamaCpp.minContextTokens", 3072))["chat"].least_context == 3072
