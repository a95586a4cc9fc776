"""The operator writes what the gateway's own example shows."""

from pathlib import Path

import yaml
from coderag_operator.desired import build
from coderag_operator.desired.context import Context
from coderag_operator.desired.litellm import render
from tests.specs import EXTERNAL, make_inputs, make_stack, nest

EXAMPLE = Path(__file__).parents[4] / "images/gateway/config.example.yaml"


def test_a_plain_stack_gives_the_example():
    stack = make_stack()
    text = render(Context(stack, make_inputs(stack))).replace(".team.svc", ".default.svc")
    assert yaml.safe_load(text) == yaml.safe_load(EXAMPLE.read_text())


def test_no_key_stands_in_the_file():
    keyed = nest("models.code.external.apiKeySecretRef", {"name": "llm", "key": "k"})
    stack = make_stack(nest("models.code", EXTERNAL), keyed)
    models = yaml.safe_load(render(Context(stack, make_inputs(stack))))["model_list"]
    assert all(model["litellm_params"]["api_key"].startswith("os.environ/") for model in models)


def test_every_key_that_the_file_names_is_in_the_gateways_environment():
    stack = make_stack(nest("models.code", EXTERNAL))
    inputs = make_inputs(stack)
    models = yaml.safe_load(render(Context(stack, inputs)))["model_list"]
    (pod,) = [
        child["spec"]["template"]["spec"]
        for child in build(stack, inputs).objects
        if (child["kind"], child["metadata"]["name"]) == ("Deployment", "demo-gateway")
    ]
    named = {model["litellm_params"]["api_key"].removeprefix("os.environ/") for model in models}
    assert named <= {entry["name"] for entry in pod["containers"][0]["env"]}


def configuration_of(*patches):
    stack = make_stack(*patches)
    return yaml.safe_load(render(Context(stack, make_inputs(stack))))


def test_a_direction_that_is_not_allowed_has_no_fallback_of_any_kind():
    one = configuration_of(nest("failover.codeToChat", False))["router_settings"]
    assert one["fallbacks"] == [{"chat": ["code"]}]
    longer = nest("models.chat.llamaCpp.contextTokens", 8192)
    none = configuration_of(nest("failover", {"chatToCode": False, "codeToChat": False}), longer)["router_settings"]
    assert (none["fallbacks"], none["context_window_fallbacks"]) == ([], [{"chat": []}, {"code": []}])


def test_a_prompt_that_is_too_long_goes_where_more_fits_and_never_where_less_does():
    longer = configuration_of(nest("models.code.llamaCpp.contextTokens", 8192))["router_settings"]
    assert longer["context_window_fallbacks"] == [{"chat": ["code"]}, {"code": []}]
    external = configuration_of(nest("models.code", EXTERNAL))["router_settings"]
    assert external["context_window_fallbacks"] == [{"chat": ["code"]}, {"code": []}]


def test_the_times_of_the_spec_arrive():
    times = {"request": "40s", "connect": "3s", "firstToken": "2m"}
    document = configuration_of(nest("gateway", {"timeouts": times, "allowedFails": 5, "cooldown": "1m"}))
    chat = document["model_list"][0]["litellm_params"]
    assert (chat["timeout"], chat["stream_timeout"]) == (40, 40)
    assert document["coderag"]["connect_timeout"] == 3
    router, policy = document["router_settings"], document["model_list"][0]["model_info"]["allowed_fails_policy"]
    assert (router["allowed_fails"], router["cooldown_time"]) == (5, 60)
    assert (policy["InternalServerErrorAllowedFails"], policy["TimeoutErrorAllowedFails"]) == (5, 1)


def test_the_first_token_has_half_of_the_request_where_nothing_is_said():
    chat = configuration_of(nest("gateway.timeouts.request", "1s"))["model_list"][0]["litellm_params"]
    assert (chat["timeout"], chat["stream_timeout"]) == (1, 1)


def test_only_servers_that_the_operator_runs_are_always_asked_for_streams():
    assert configuration_of(nest("models.code", EXTERNAL))["coderag"]["streamed"] == ["chat"]
