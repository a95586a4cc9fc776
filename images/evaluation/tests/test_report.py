"""Reports are read as they were written, fit a termination message, and are held against gates."""

import json
from xml.etree import ElementTree

import pytest
from coderag_eval.gate import Gate, InvalidGate, hold_baseline
from coderag_eval.plot import plot
from coderag_eval.report import InvalidReport, Report, read_report
from coderag_eval.table import table


def report(values, **fields):
    made = Report(
        "2026-01-01T00:00:00+00:00", values={one: {"ndcg@10": value} for one, value in values.items()}, **fields
    )
    made.sets = made.sets or {"korean": list(values)}
    return made


def numbered(values):
    return {str(number): value for number, value in enumerate(values)}


def test_a_report_is_read_as_it_was_written(tmp_path):
    made = report({"a": 0.5, "b": 1.0}, failed={"c": "503"}, about={"rag": "http://rag"})
    (tmp_path / "r.json").write_text(made.to_json())
    assert read_report(tmp_path / "r.json") == made
    assert json.loads(made.to_json())["figures"]["korean"]["ndcg@10"]["value"] == 0.75


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other/1"}', '{"format": "coderag-eval/1"}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InvalidReport, match=r"r\.json"):
        read_report(tmp_path / "r.json")


@pytest.mark.parametrize(("sets", "failed"), [(0, True), (1, False), (20, False), (60, True)])
def test_the_message_always_fits(sets, failed):
    made = report(numbered([0.5] * 2))
    made.sets = {f"한국어 질문 모음 {number}": ["0", "1"] for number in range(sets)}
    made.failed = {"x": "503"} if failed else {}
    body = json.loads(made.message())
    assert len(made.message().encode()) <= 4096
    assert body["ok"] is not failed
    assert len(body["figures"]) + body.get("setsLeftOut", 0) == sets


def test_even_with_endless_gates_the_message_fits():
    made = report({"a": 0.5}, gates=[{"gate": "x" * 5000, "passed": True, "detail": ""}])
    assert json.loads(made.message()) == {"ok": True, "questions": 1}


@pytest.mark.parametrize(
    ("gate", "passed"),
    [("ndcg@10>=0.5", True), ("ndcg@10 >= 0.76", False), ("korean:ndcg@10>=0.7", True), ("Korean:nDCG@10>=0.9", False)],
)
def test_a_gate_is_a_floor_under_the_mean(gate, passed):
    verdict = Gate.parse(gate).hold(report({"a": 0.5, "b": 1.0}))
    assert verdict == {"gate": gate, "passed": passed, "detail": "korean: 0.750"}


def test_the_worst_set_decides_where_none_is_named():
    made = report({"a": 0.9, "b": 0.1}, sets={"one": ["a"], "two": ["b"]})
    assert Gate.parse("ndcg@10>=0.5").hold(made)["detail"] == "two: 0.100"
    assert Gate.parse("one:ndcg@10>=0.5").hold(made)["passed"]


@pytest.mark.parametrize("text", ["", "ndcg", "ndcg@10>0.5", "ndcg@10>=x", "a:b:ndcg@10>=1"])
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(InvalidGate, match="is no gate"):
        Gate.parse(text)


def test_a_gate_without_figures_is_refused_and_does_not_pass():
    with pytest.raises(InvalidGate, match="nothing to be held against"):
        Gate.parse("bleu>=0.1").hold(report({"a": 0.5}))


def test_a_proven_drop_fails_and_noise_does_not():
    before = report(numbered([0.9, 0.8, 0.7, 0.9] * 25))
    worse = report(numbered([0.6, 0.5, 0.4, 0.6] * 25))
    (verdict,) = hold_baseline(worse, before, 0.02)
    assert not verdict["passed"]
    assert worse.comparison["korean"]["change"] == pytest.approx(-0.3)
    (verdict,) = hold_baseline(report({"0": 0.8, "1": 0.9}), before, 0.02)
    assert verdict["passed"]
    assert "on 2 questions" in verdict["detail"]


def test_a_baseline_of_other_questions_is_refused():
    with pytest.raises(InvalidGate, match="shares no judged question"):
        hold_baseline(report({"a": 1.0}), report({"b": 1.0}), 0.02)


def test_the_table_names_sets_verdicts_and_what_is_missing():
    made = report({"a": 0.5, "b": 1.0}, failed={"c": "503"}, left_out={"d": "another commit"})
    made.sets["empty"] = ["d"]
    made.gates = [Gate.parse("ndcg@10>=0.9").hold(made)]
    hold_baseline(made, report({"a": 0.25, "b": 1.0}), 0.02)
    shown = table(made)
    assert "| korean" in shown
    assert "0.750 [0.500, 1.000]" in shown
    assert "FAILED: ndcg@10>=0.9 (korean: 0.750)" in shown
    assert "+0.125" in shown
    assert "not answered: 1 questions: 503" in shown
    assert "left out: 1 questions: another commit" in shown


def test_the_plot_is_an_image_with_a_bar_for_each_figure():
    made = report({"a": 0.5}, sets={"<one>": ["a"], "none": []})
    made.values["a"]["mrr"] = 1.0
    image = ElementTree.fromstring(plot(made))
    bars = [one for one in image.iter() if one.get("fill", "").startswith("#") and one.get("width") == "30"]
    assert len(bars) == 2
    assert "<one>" in [one.text for one in image.iter()]
    assert ElementTree.fromstring(plot(Report("now"))) is not None
