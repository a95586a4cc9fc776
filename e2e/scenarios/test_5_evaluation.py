"""An evaluation of the running stack: a Job asks questions with known answers, and its figures stand in the status."""

import json

import pytest

from e2e.waiting import wait_until

NAME = "evaluation-questions"
QUESTIONS = {
    "read the header of a GGUF file": "images/model/coderag_model/header.py",
    "fuse the scores of the search legs by weight": "images/rag/coderag_rag/query/fusion.py",
}


@pytest.fixture(scope="module")
def asked(stack):
    """The questions in a ConfigMap; both and the evaluation are gone afterwards."""
    lines = [
        json.dumps({"id": str(number), "query": query, "expected": [{"path": path}]})
        for number, (query, path) in enumerate(QUESTIONS.items())
    ]
    stack.kubectl("create", "configmap", NAME, "--from-literal=questions.jsonl=" + "\n".join(lines))
    yield stack
    stack.patch({"evaluation": None})
    stack.kubectl("delete", "configmap", NAME)
    stack.wait("Ready", seconds=300)


def evaluate(stack, *gates):
    """Ask for an evaluation with these gates; return what the status says of it."""

    def found():
        one = stack.get("crs", stack.name)["status"].get("evaluation") or {}
        return one if [gate["gate"] for gate in one.get("gates", [])] == list(gates) else None

    questions = {"configMapRef": {"name": NAME, "key": "questions.jsonl"}}
    stack.patch({"evaluation": {"questions": questions, "repositories": ["coderag"], "gates": list(gates)}})
    wait_until(found, f"an evaluation with the gates {gates}", 180)
    return found()


def test_what_the_search_finds_is_in_the_status_and_the_gate_is_passed(asked):
    told = evaluate(asked, "r@5>=0.5")
    assert (told["passed"], told["questions"], told["failed"]) == (True, len(QUESTIONS), 0)
    means = {figure["measure"]: figure for figure in told["figures"]}
    assert {"ndcg@10", "r@5", "mrr"} <= set(means)


def test_a_gate_that_is_missed_is_said_and_takes_nothing_down(asked):
    told = evaluate(asked, "mrr>=2")
    assert (told["passed"], told["failed"]) == (False, 0)
    assert asked.wait("Ready", "Available", seconds=60)
