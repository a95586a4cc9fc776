"""The model `coderag` through the whole gateway, as OpenAI's own client sees it: what rag adds must arrive."""

from collections.abc import Iterator
from typing import Any

import pytest

from images.gateway.tests.running import USER, Gateway

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
TURNS: Any = [{"role": "user", "content": "Where is retry?"}]
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
MORE = {"task": "explain", "citations": [{"marker": "[1]", "path": "a.py"}], "sources": [], "degraded": []}
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "read", "arguments": "{}"}}


def piece(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """Return a chunk as rag sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "coderag", "choices": [choice]}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Any]:
    import openai  # only the gateway's own environment is sure to have it

    upstream = gateway.upstreams["coderag"]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=USER, max_retries=0) as made:
        yield made
    upstream.always = upstream.pieces = None
    upstream.release.set()


def test_a_whole_answer_keeps_what_rag_adds(gateway: Gateway, client: Any) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is here [1]."}}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "coderag", "choices": [choice]}
    gateway.upstreams["coderag"].always = (200, {**body, "usage": USAGE, **MORE})
    answer = client.chat.completions.create(model="coderag", messages=TURNS)
    assert answer.choices[0].message.content == "It is here [1]."
    assert (answer.citations, answer.task, answer.usage.total_tokens) == (MORE["citations"], "explain", 7)


def test_a_stream_keeps_its_citations_and_its_usage(gateway: Gateway, client: Any) -> None:
    listed = piece(content="\n\nSources:", provider_specific_fields=MORE)
    counted = {**piece(), "choices": [], "usage": USAGE}
    gateway.upstreams["coderag"].pieces = [piece(content="It is here [1]."), listed, piece("stop") | MORE, counted]
    options = {"include_usage": True}
    stream = client.chat.completions.create(model="coderag", messages=TURNS, stream=True, stream_options=options)
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "It is here [1].\n\nSources:"
    added = [fields for delta in deltas if (fields := getattr(delta, "provider_specific_fields", None))]
    assert [fields["citations"] for fields in added] == [MORE["citations"]]
    assert chunks[-1].usage.total_tokens == 7


def test_tools_and_their_calls_pass_through(gateway: Gateway, client: Any) -> None:
    upstream = gateway.upstreams["coderag"]
    upstream.pieces = [piece(role="assistant", content=""), piece(tool_calls=[CALL]), piece("tool_calls")]
    tools: Any = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]
    chunks = list(client.chat.completions.create(model="coderag", messages=TURNS, tools=tools, stream=True))
    calls = [chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices[0].delta.tool_calls]
    assert calls[0][0].function.name == "read"
    assert upstream.requests[-1]["tools"] == tools


@pytest.mark.parametrize(
    ("status", "message"), [(404, "repository 'x' is not served"), (409, "nothing is indexed yet")]
)
def test_a_refusal_of_rag_keeps_its_status_and_its_words(
    gateway: Gateway, client: Any, status: int, message: str
) -> None:
    import openai

    error = {"message": message, "type": "t", "param": "repositories", "code": "c", "hint": "h"}
    gateway.upstreams["coderag"].always = (status, {"error": error})
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="coderag", messages=TURNS)
    assert (caught.value.status_code, caught.value.body["message"]) == (status, message)


def test_who_leaves_a_stream_stops_rag(gateway: Gateway, client: Any) -> None:
    upstream = gateway.upstreams["coderag"]
    upstream.left.clear()
    upstream.release.clear()
    upstream.pieces = [piece(role="assistant", content=""), piece(content="word ")]
    stream = client.chat.completions.create(model="coderag", messages=TURNS, stream=True)
    next(iter(stream))
    stream.close()
    assert upstream.left.wait(60)
