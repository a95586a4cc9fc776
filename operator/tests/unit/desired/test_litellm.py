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
