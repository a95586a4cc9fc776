"""Citations against a scripted model: valid ones resolve to exact lines, invented ones vanish."""

import contextlib
import json
import subprocess
import time

import pytest

from e2e import install
from e2e.demo.answers import post
from e2e.kubectl import CommandError

QUESTION = "Where is the header of a GGUF file read?"


@pytest.fixture(scope="module")
def scripted(stack):
    """The stack with the scripted server as its code model; the llama.cpp server comes back afterwards."""
    before = stack.get("crs", stack.name)["spec"]["models"]["code"]
    url = f"http://standins-openai.{stack.namespace}.svc:{install.PORTS['openai']}/v1"
    stack.patch({"models": {"code": {"llamaCpp": None, "external": {"baseUrl": url, "model": "scripted"}}}})
    stack.wait("Ready", seconds=300)
    yield stack
    stack.patch({"models": {"code": {"external": None, "llamaCpp": before["llamaCpp"]}}})
    stack.wait("Ready", seconds=300)


@contextlib.contextmanager
def script(stack, **settings):
    """Tell the scripted server what to answer."""
    with stack.cluster.forward(stack.namespace, "service/standins-openai", install.PORTS["openai"]) as url:
        install.request("PUT", f"{url}/admin/script", stack.token, json.dumps(settings).encode())
        yield


def ask(stack):
    """Ask through the rag service; 503 means "soon" while pods are replaced, so it is asked again then."""
    body, deadline = {"question": QUESTION, "model": "code"}, time.monotonic() + 60
    while True:
        try:
            with stack.cluster.forward(stack.namespace, f"service/{stack.name}-rag", 8002) as url:
                return post(url, stack.key(), "/v1/ask", body)
        except CommandError as error:
            if "answered 503" not in str(error) or time.monotonic() > deadline:
                raise


def read_lines(commit, path, first, last):
    """Return lines of a file at a commit, as git has them."""
    text = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, text=True, check=True).stdout
    return text.splitlines()[first - 1 : last]


def test_a_valid_citation_resolves_to_its_lines_and_an_invented_one_vanishes(scripted):
    with script(scripted, answer="Read in [1] and in [{n}]. Elsewhere too [{after}], they say [4711]."):
        answer = ask(scripted)
    assert len(answer["citations"]) == 2
    for citation in answer["citations"]:
        lines = read_lines(citation["commit"], citation["path"], citation["start_line"], citation["end_line"])
        assert citation["text"].splitlines() == lines
        assert str(citation["marker"]).strip("[]") in answer["answer"]
    assert "4711" not in answer["answer"]
    assert answer["served_by"] == "code"


def test_an_answer_without_citations_keeps_its_text_and_lists_its_sources(scripted):
    with script(scripted, answer="I know it by heart."):
        answer = ask(scripted)
    assert answer["answer"].strip() == "I know it by heart."
    assert answer["citations"] == []
    assert answer["sources"]


def test_only_invented_citations_leave_none(scripted):
    with script(scripted, answer="See [{after}] and [999]."):
        answer = ask(scripted)
    assert answer["citations"] == []
    assert "999" not in answer["answer"]
