"""The report of an evaluation is read once, bounded, and kept when its pod is gone."""

import json
from typing import Any

import pytest
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod
from coderag_operator.observed.evaluation import Evaluation, Figure, learn_evaluation, read_report
from coderag_operator.observed.facts import Facts, read_facts, write_facts
from hypothesis import given
from hypothesis import strategies as st

REPORT = {
    "ok": True, "questions": 40, "failed": 1, "leftOut": 2, "gates": [{"gate": "ndcg@10>=0.5", "passed": True}],
    "figures": {"curated": {"ndcg@10": [0.61, 0.55, 0.66]}},
}  # fmt: skip
FOUND = Evaluation("u", 7, True, 40, 1, (("ndcg@10>=0.5", True),), (Figure("curated", "ndcg@10", 0.61, 0.55, 0.66),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=9,
)


def pod(uid: str, turned: int, *endings: str, component: str = "evaluation") -> Child:
    details = Pod(endings=endings, turned=turned)
    return Child("Pod", "team", f"p-{uid}", uid, "1", "demo", component, "job", False, details)


def test_the_report_of_the_newest_run_counts() -> None:
    pods = [pod("v", 3, "{}"), pod("u", 7, json.dumps(REPORT)), pod("w", 9), pod("x", 9, "{}", component="models")]
    assert learn_evaluation(None, pods) == FOUND
    assert learn_evaluation(FOUND, pods) == FOUND


def test_what_was_found_is_kept_when_its_pod_is_gone() -> None:
    assert learn_evaluation(FOUND, []) == FOUND
    assert learn_evaluation(FOUND, [pod("old", 3, "{}")]) == FOUND
    assert read_facts(write_facts(Facts(evaluation=FOUND))).evaluation == FOUND


@pytest.mark.parametrize(
    ("text", "message"),
    [("coderag-eval: no such file\n", "coderag-eval: no such file"), ("x" * 999, "x" * 300),
     ("", "it ended without a report")],
)  # fmt: skip
def test_a_run_without_a_report_says_why(text: str, message: str) -> None:
    found = learn_evaluation(None, [pod("u", 7, text)])
    assert found == Evaluation("u", 7, message=message)
    assert read_facts(write_facts(Facts(evaluation=found))).evaluation == found


@pytest.mark.parametrize("values", [None, [1, 2], [1, 2, "3"], [1, None, 3], [1, 2, float("nan")], {"a": 1}])
def test_a_figure_without_its_interval_is_left_out(values: Any) -> None:
    assert read_report("u", 7, {"figures": {"s": {"m": values}, "t": 3}}).figures == ()


def test_a_long_report_does_not_fill_the_status() -> None:
    figures = {f"set{n}": {f"m{k}": [0.1, 0.0, 0.2] for k in range(9)} for n in range(9)}
    found = read_report("u", 7, {"figures": figures, "gates": [{"gate": "g" * 99}] * 99})
    assert (len(found.figures), len(found.gates), found.gates[0]) == (32, 16, ("g" * 64, False))


@given(st.dictionaries(st.sampled_from(["ok", "questions", "failed", "gates", "figures"]), JSON))
def test_whatever_an_evaluation_says_can_be_read_and_written(report: dict[str, Any]) -> None:
    found = read_report("u", 7, report)
    assert read_facts(write_facts(Facts(evaluation=found))).evaluation is not None
