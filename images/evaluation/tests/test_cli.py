"""The command: exit codes, files, and that whatever is wrong is said before anything is asked."""

import json

import pytest
from coderag_eval.cli import main

from .conftest import found, hit
from .test_commits import repository  # noqa: F401 - a fixture


@pytest.fixture
def questions(tmp_path):
    rows = [
        {"id": "1", "query": "where", "set": "korean", "expected": [{"path": "a.py"}]},
        {"id": "2", "query": "why", "set": "answers", "reference": "since the lease is held by one"},
        {"id": "3", "query": "old", "set": "commits", "expected": [{"path": "a.py"}], "commit": "c0"},
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "q.jsonl")


@pytest.fixture
def service(script):
    script.on("/v1/search", (200, found(hit("a.py"))))
    script.on("/v1/ask", (200, {"answer": "since the lease is held by one"}))
    grades = {"correct": 5, "complete": 5, "clear": 5, "reason": ""}
    script.on("/judge/chat/completions", (200, {"choices": [{"message": {"content": json.dumps(grades)}}]}))
    judge = {"JUDGE_URL": script.url + "/judge", "JUDGE_MODEL": "grader", "JUDGE_API_KEY": "judge-key"}
    return {"RAG_URL": script.url, "RAG_API_KEY": "rag-key"} | judge


def test_a_run_measures_reports_and_passes(questions, service, tmp_path, capsys):
    files = {name: tmp_path / name for name in ("report", "plot", "message")}
    written = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    assert main(["run", questions, *written, "--gate", "korean:ndcg@10>=0.9"], service) == 0
    shown = capsys.readouterr()
    assert "passed: korean:ndcg@10>=0.9" in shown.out
    assert "left out: 1 questions" in shown.out
    assert "searched 2 of 2" in shown.err
    report = json.loads(files["report"].read_text())
    assert report["values"]["2"] == pytest.approx(
        {"bleu": 1.0, "rouge-l": 1.0, "correct": 1.0, "complete": 1.0, "clear": 1.0}
    )
    assert report["about"]["judge"] == "grader"
    assert json.loads(files["message"].read_text())["ok"] is True
    assert files["plot"].read_text().startswith("<svg")
    assert not any("-key" in file.read_text() for file in files.values())


def test_a_failed_gate_is_exit_code_one(questions, service, script, capsys):
    script.on("/v1/search", (200, found()))
    assert main(["run", questions, "--set", "korean", "--quiet", "--gate", "ndcg@10>=0.1"], service) == 1
    shown = capsys.readouterr()
    assert "FAILED" in shown.out
    assert shown.err == ""


def test_a_drop_below_the_baseline_is_exit_code_one(questions, service, script, tmp_path):
    baseline = str(tmp_path / "before.json")
    command = ["run", questions, "--set", "korean", "--quiet"]
    assert main([*command, "--report", baseline], service) == 0
    assert main([*command, "--baseline", baseline], service) == 0
    script.on("/v1/search", (200, found()))
    assert main([*command, "--baseline", baseline, "--max-drop", "0.5"], service) == 1


def test_a_question_that_is_not_answered_is_exit_code_three(questions, service, script, tmp_path):
    script.on("/v1/search", (400, {}))
    report = tmp_path / "report"
    assert main(["run", questions, "--no-answers", "--report", str(report), "--gate", "mrr>=0.1"], service) == 3
    assert len(json.loads(report.read_text())["failed"]) == 2


def test_without_a_judge_answers_are_compared_only(questions, service, script):
    environ = service | {"JUDGE_URL": ""}
    assert main(["run", questions, "--set", "answers", "--any-commit", "--quiet"], environ) == 0
    assert not script.bodies("/judge/chat/completions")


def test_a_run_can_be_narrowed_to_repositories(questions, service, script):
    assert main(["run", questions, "--any-commit", "--no-answers", "--repository", "app", "--quiet"], service) == 0
    assert [body["repositories"] for body in script.bodies("/v1/search")] == [["app"], ["app"]]


@pytest.mark.parametrize(
    ("more", "environ", "named"),
    [
        ([], {"RAG_URL": ""}, "RAG_URL is no http(s) address"),
        ([], {"RAG_URL": "ftp://x"}, "RAG_URL"),
        ([], {"RAG_URL": "http://x:99999"}, "RAG_URL"),
        ([], {"JUDGE_MODEL": ""}, "JUDGE_MODEL is missing"),
        (["--gate", "good"], {}, "is no gate"),
        (["--set", "none"], {}, "the files have answers, commits, korean"),
        (["--baseline", "nowhere.json"], {}, "is no report"),
        (["--gate", "correct>=0.1", "--no-answers"], {}, "nothing to be held against"),
    ],
)
def test_wrong_usage_is_exit_code_two_and_one_line(questions, service, capsys, tmp_path, more, environ, named):
    message = tmp_path / "message"
    assert main(["run", questions, "--quiet", "--message", str(message), *more], service | environ) == 2
    shown = capsys.readouterr().err
    assert named in message.read_text()
    assert named in shown
    assert shown.count("\n") == 1


def test_the_address_is_reported_without_what_is_secret_in_it(questions, service, tmp_path):
    report = tmp_path / "report"
    url = service["RAG_URL"].replace("http://", "http://user:pass@")
    assert main(["run", questions, "--set", "korean", "--report", str(report)], service | {"RAG_URL": url}) == 0
    assert json.loads(report.read_text())["about"]["rag"] == service["RAG_URL"]


def test_help_says_what_the_exit_codes_mean(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "Exit codes: 0" in capsys.readouterr().out


def test_questions_are_mined_from_a_history(repository, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "commits.jsonl"
    command = ["mine", "commits", str(repository[0]), "--name", "app", "--out", str(out)]
    assert main(command, {}) == 0
    assert "3 questions" in capsys.readouterr().out
    assert main([*command, "--suffix", ".md"], {}) == 0
    assert len(out.read_text().splitlines()) == 1
    assert main([*command, "--suffix", ".rs"], {}) == 2


def test_questions_are_mined_from_docstrings(tmp_path):
    body = "    a = 1\n    b = 2\n    return a + b\n"
    source = (
        f'def f():\n    """Add up what was counted."""\n{body}\ndef add_it():\n    """Add up all of it now."""\n{body}'
    )
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    out = tmp_path / "docstrings.jsonl"
    assert main(["mine", "docstrings", str(tmp_path), "--name", "app", "--out", str(out)], {}) == 0
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert row["query"] == "Add up what was counted"
    assert row["expected"] == [{"path": "a.py", "repository": "app", "symbol": "f"}]


def test_a_message_that_cannot_be_written_hides_nothing(questions, service, tmp_path, capsys):
    nowhere = str(tmp_path / "none" / "message")
    assert main(["run", questions, "--quiet", "--message", nowhere, "--gate", "good"], service) == 2
    assert "is no gate" in capsys.readouterr().err
