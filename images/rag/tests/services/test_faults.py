"""Real processes that fail: what a caller of rag sees, and that it passes by itself."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

QUESTION = "Where are ranks fused?"


@pytest.fixture
def scripted(stack):
    """Let the model fail in one way for the length of a block."""

    @contextmanager
    def failing(fault):
        stack.script(fault)
        yield
        stack.script(None)

    return failing


def chat(stack, *, stream):
    messages = [{"role": "user", "content": QUESTION}]
    return stack.post("/v1/chat/completions", model="coderag", messages=messages, stream=stream)


def assert_unavailable(answer, code):
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == code
    assert int(answer.headers["retry-after"]) >= 1


def test_a_stream_cut_in_the_middle_ends_with_the_error_object(stack, scripted):
    with scripted("cut-after"):
        answer = chat(stack, stream=True)
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    *chunks, last = [json.loads(event) for event in events]
    assert any(chunk["choices"][0]["delta"].get("content") for chunk in chunks)
    assert last["error"]["code"] == "gateway_unavailable"
    assert chat(stack, stream=True).text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("fault", ["cut-before", "500", "503", "429"])
def test_models_that_fail_before_the_first_word_are_503_and_search_stays_up(stack, scripted, wait_until, fault):
    with scripted(fault):
        for answer in (chat(stack, stream=True), chat(stack, stream=False), stack.post("/v1/ask", question=QUESTION)):
            assert_unavailable(answer, "gateway_unavailable")
        assert stack.search("fuse")["degraded"] == []
    wait_until(lambda: stack.post("/v1/ask", question=QUESTION).status_code == 200, "ask is back")


def test_a_lost_gateway_is_503_and_comes_back_by_itself(stack, wait_until, restart_model):
    stack.model.stop()
    assert_unavailable(stack.post("/v1/ask", question=QUESTION), "gateway_unavailable")
    assert stack.search("fuse")["hits"]
    restart_model()
    wait_until(lambda: stack.post("/v1/ask", question=QUESTION).status_code == 200, "ask is back")


def test_a_qdrant_that_hangs_is_503_and_comes_back_by_itself(stack, wait_until):
    os.kill(stack.qdrant.process.pid, signal.SIGSTOP)
    try:
        assert_unavailable(stack.post("/v1/search", query="fuse"), "qdrant_unavailable")
    finally:
        os.kill(stack.qdrant.process.pid, signal.SIGCONT)
    wait_until(lambda: stack.post("/v1/search", query="fuse").status_code == 200, "search is back")


def test_sigterm_waits_for_the_answer_under_way_and_ends_with_0(stack, scripted, another_rag, wait_until):
    rag, question = another_rag(RAG_LLM_TIMEOUT="4"), "Where are ranks fused before the end?"
    headers = {"authorization": "Bearer " + stack.environment["RAG_API_KEYS"]}
    with ThreadPoolExecutor(1) as pool, scripted("hang"):
        body = {"question": question}
        asking = pool.submit(httpx.post, f"{rag.url}/v1/ask", json=body, headers=headers, timeout=60)
        wait_until(lambda: asking.done() or question in stack.last_prompt(), "the model is asked")
        rag.process.terminate()
        assert_unavailable(asking.result(), "gateway_unavailable")
    assert rag.process.wait(30) == 0
