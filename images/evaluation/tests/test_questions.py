"""A file of questions is refused with the line and the field, and a hit is judged by what its question expects."""

import json

import pytest
from coderag_eval.matching import Hit, documents, matches, right
from coderag_eval.questions import Expected, InvalidQuestions, Question, read_questions, write_questions


def place(**fields):
    return Expected(path="a.py", **fields)


def test_what_is_written_is_read_again(tmp_path):
    questions = [
        Question(id="1", query="어디", expected=(place(symbol="A.f"),), set="korean"),
        Question(id="2", query="why", reference="because", repositories=("app",)),
    ]
    write_questions(tmp_path / "q.jsonl", questions)
    assert read_questions([tmp_path / "q.jsonl"]) == questions


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "q.jsonl:2: not JSON"),
        ({"id": "x", "query": "q"}, "q.jsonl:2: the question: Value error, give `expected`"),
        ({"id": "x", "query": "", "reference": "r"}, "q.jsonl:2: query"),
        ({"id": "x", "query": "q", "expected": [{"path": "a", "start_line": 3}]}, "start_line and end_line"),
        ({"id": "x", "query": "q", "expected": [{"path": "a", "start_line": 3, "end_line": 2}]}, "start_line"),
        ({"id": "x", "query": "q", "reference": "r", "sett": "s"}, "q.jsonl:2: sett"),
        ({"id": "ok", "query": "q", "reference": "r"}, "'ok' is taken"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, named):
    good = json.dumps({"id": "ok", "query": "q", "reference": "r"})
    text = line if isinstance(line, str) else json.dumps(line)
    (tmp_path / "q.jsonl").write_text(f"{good}\n{text}\n")
    with pytest.raises(InvalidQuestions, match=r".") as refused:
        read_questions([tmp_path / "q.jsonl"])
    assert named in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"])
def test_a_file_without_questions_is_refused(tmp_path, content):
    (tmp_path / "q.jsonl").write_bytes(content)
    with pytest.raises(InvalidQuestions):
        read_questions([tmp_path / "q.jsonl"])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidQuestions, match="cannot be read"):
        read_questions([tmp_path / "none.jsonl"])


@pytest.mark.parametrize(
    ("expected", "hit", "is_right"),
    [
        (place(), Hit("app", "a.py", 1, 2), True),
        (place(), Hit("app", "b.py", 1, 2), False),
        (place(repository="app"), Hit("other", "a.py", 1, 2), False),
        (place(symbol="f"), Hit("app", "a.py", 1, 2, ("A.f",)), True),
        (place(symbol="A.f"), Hit("app", "a.py", 1, 2, ("f", "A.f")), True),
        (place(symbol="f"), Hit("app", "a.py", 1, 2, ("of",)), False),
        (place(start_line=5, end_line=9), Hit("app", "a.py", 9, 12), True),
        (place(start_line=5, end_line=9), Hit("app", "a.py", 10, 12), False),
        (place(symbol="f", start_line=5, end_line=9), Hit("app", "a.py", 7, 8), True),
    ],
)
def test_a_hit_is_right_by_path_symbol_or_lines(expected, hit, is_right):
    assert matches(expected, hit) is is_right


def test_every_right_place_and_every_file_counts_once():
    question = Question(id="1", query="q", expected=(place(), Expected(path="b.py")))
    hits = [Hit("app", "c.py", 1, 2), Hit("app", "c.py", 9, 10), Hit("app", "a.py", 1, 2), Hit("app", "a.py", 3, 4)]
    assert documents(question, hits) == ["app:c.py", "right:0"]
    assert right(question) == ["right:0", "right:1"]


def test_where_a_symbol_is_expected_chunks_count():
    question = Question(id="1", query="q", expected=(place(symbol="f"),))
    hits = [Hit("app", "a.py", 1, 2), Hit("app", "a.py", 3, 4), Hit("app", "a.py", 5, 6, ("f",))]
    assert documents(question, hits) == ["app:a.py:1", "app:a.py:3", "right:0"]
