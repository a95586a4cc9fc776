"""An evaluation runs when there is something to measure, and reaches no more than it has to."""

from dataclasses import replace
from typing import Any

import pytest
from coderag_operator.desired import SecretFact, build
from tests.specs import EVALUATION, make_inputs, make_stack, nest


def jobs(*patches: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    stack = make_stack(EVALUATION, *patches)
    desired = build(stack, replace(make_inputs(stack), **changes))
    label = "app.kubernetes.io/component"
    return [one for one in desired.objects if one["kind"] in ("Job", "CronJob")
            and one["metadata"]["labels"][label] == "evaluation"]  # fmt: skip


def frozen(*patches: dict[str, Any], **changes: Any) -> dict[str, str]:
    stack = make_stack(EVALUATION, *patches)
    found = build(stack, replace(make_inputs(stack), **changes)).frozen
    return {name: one.reason for name, one in found.items()}


def test_other_questions_are_another_run():
    (first,) = jobs()
    (again,) = jobs()
    (other,) = jobs(config_maps={"questions": SecretFact("other", frozenset({"all.jsonl"}))})
    assert first["metadata"]["name"] == again["metadata"]["name"] != other["metadata"]["name"]
    assert first["metadata"]["name"].startswith("demo-evaluation-")


def test_a_schedule_makes_a_cron_job_whose_pods_the_operator_reads():
    (found,) = jobs(nest("evaluation.schedule", "0 4 * * *"))
    assert (found["kind"], found["metadata"]["name"]) == ("CronJob", "demo-evaluation")
    assert found["spec"]["timeZone"] == "Etc/UTC"
    template = found["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["labels"]["coderag.dev/stack"] == "demo"


@pytest.mark.parametrize("changes", [{"indexed": False}, {"serving": frozenset()}])
def test_it_waits_for_the_index_and_the_search_and_keeps_the_run_before(changes: dict[str, Any]):
    assert jobs(**changes) == []
    assert frozen(**changes) == {"evaluation": "NothingToMeasure"}


def test_missing_questions_and_a_missing_key_of_the_judge_are_named():
    assert frozen(config_maps={}) == {"evaluation": "ConfigMapMissing"}
    judge = nest(
        "evaluation.judge", {"baseUrl": "https://j/v1", "model": "m", "apiKeySecretRef": {"name": "j", "key": "k"}}
    )
    stack = make_stack(EVALUATION, judge)
    secrets = {name: fact for name, fact in make_inputs(stack).secrets.items() if name != "j"}
    assert frozen(judge, secrets=secrets) == {"evaluation": "SecretMissing"}


def test_a_suspended_stack_measures_nothing():
    assert jobs({"suspend": True})[0]["spec"]["suspend"] is True
    assert jobs({"suspend": True}, nest("evaluation.schedule", "0 4 * * *"))[0]["spec"]["suspend"] is True


def test_nothing_of_it_is_there_without_it():
    stack = make_stack()
    found = build(stack, make_inputs(stack)).objects
    assert not [one for one in found if "evaluation" in one["metadata"]["name"]]


def test_a_dollar_in_an_address_stays_a_dollar():
    (found,) = jobs(nest("evaluation.judge", {"baseUrl": "https://j/$(RAG_API_KEY)", "model": "$(RAG_API_KEY)"}))
    env = {one["name"]: one.get("value") for one in found["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["JUDGE_URL"], env["JUDGE_MODEL"]) == ("https://j/$$(RAG_API_KEY)", "$$(RAG_API_KEY)")
