"""From a Git remote to a cited answer, through the real services, about this package's own code."""

import ast
import subprocess

import pytest

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

CASES = [
    ("fuse the scores of the search legs by weight", "coderag_rag/query/fusion.py", "fuse"),
    ("MarkerFilter.feed", "coderag_rag/answer/markers.py", "feed"),
    ("run the legs side by side, the first failure ends the others", "coderag_rag/query/legs.py", "_side_by_side"),
    ("점수를 가중치로 합치는 곳은 어디인가요", "coderag_rag/query/fusion.py", "fuse"),
    ("text_sha256", "coderag_rag/store/schema.py", "text_sha256"),
]


def line_of(repository, path, name):
    """The line that defines a name."""
    tree = ast.parse((repository / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return next(node.lineno for node in ast.walk(tree) if isinstance(node, functions) and node.name == name)


@pytest.mark.parametrize(("query", "path", "name"), CASES)
def test_a_known_function_is_in_the_top_three_with_its_lines(stack, query, path, name):
    path = f"images/rag/{path}"
    line = line_of(stack.repository, path, name)
    result = stack.search(query)
    assert result["degraded"] == []
    top = [(hit["path"], hit["start_line"], hit["end_line"]) for hit in result["hits"][:3]]
    assert any(found == path and start <= line <= end for found, start, end in top), top


def test_an_answer_keeps_valid_citations_and_loses_invented_ones(stack):
    body = stack.post("/v1/ask", question="Where are ranks fused?").raise_for_status().json()
    assert body["answer"] == "It is defined in [1]. An invented source says otherwise."
    assert body["dropped_markers"] == 1
    (citation,) = body["citations"]
    show = ["git", "show", f"{citation['commit']}:{citation['path']}"]
    shown = subprocess.run(show, cwd=stack.repository, check=True, capture_output=True, text=True).stdout
    lines = shown.splitlines()[citation["start_line"] - 1 : citation["end_line"]]
    assert citation["text"].splitlines() == lines


def test_search_goes_on_without_embedding_and_notices_its_return(stack, wait_until, restart_embedding):
    stack.embedding.stop()
    result = stack.search("MarkerFilter.feed")
    assert result["degraded"] == ["dense"]
    assert result["hits"][0]["path"].endswith("answer/markers.py")
    restart_embedding()
    wait_until(lambda: stack.search("MarkerFilter.feed")["degraded"] == [], "the dense leg is back")


def test_a_lost_qdrant_is_503_and_comes_back_by_itself(stack, wait_until, restart_qdrant):
    stack.qdrant.kill()
    answer = stack.post("/v1/search", query="fuse")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    restart_qdrant()
    wait_until(lambda: stack.post("/v1/search", query="fuse").status_code == 200, "the search is back")
