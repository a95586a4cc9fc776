"""The gateway client: streams, and every way they fail."""

import asyncio
import json

import httpx
import pytest
from coderag_rag.answer.llm import LlmClient, PromptTooLong
from coderag_rag.answer.window import Windows
from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown

BODY = {"model": "code", "messages": []}


def client(answer, **more):
    return LlmClient("http://gateway", "key", transport=httpx.MockTransport(answer), **more)


async def collect(answer, seconds=30.0, **more):
    async with client(answer, **more).generate(BODY, Deadline.after(seconds)) as generation:
        return generation, [piece async for piece in generation.pieces()]


async def test_the_model_is_always_asked_to_stream(gateway):
    generation, pieces = await collect(gateway)
    assert "".join(pieces) == "It is here [1]."
    assert gateway.requests[0]["stream"] is True
    assert gateway.requests[0]["stream_options"] == {"include_usage": True}
    assert (generation.served_by, generation.finish_reason) == ("code-1", "stop")
    assert generation.usage == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def stream(*lines):
    return lambda _request: httpx.Response(200, text="".join(f"{line}\n\n" for line in lines))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['data: {"choices": [{"delta": {"content": "half"}}]}'], "before it was complete"),
        (['data: {"choices": [{"delta": {"content": "half"}}]}', "data: [DONE]"], "before it was complete"),
        (['data: {"error": {"message": "boom"}}'], "in the middle"),
        (["data: {nonsense"], "not OpenAI's"),
        (["data: [7]"], "not OpenAI's"),
        (['data: {"choices": 7}'], "not OpenAI's"),
        (['data: {"choices": [{"delta": "x"}]}'], "not OpenAI's"),
    ],
)
async def test_an_answer_that_breaks_off_is_an_error_and_not_a_short_answer(lines, message):
    with pytest.raises(DependencyDown, match=message):
        await collect(stream(*lines))


async def test_comments_and_empty_events_mean_nothing():
    ending = json.dumps({"choices": [{"delta": {"content": "x"}, "finish_reason": "length"}]})
    generation, pieces = await collect(stream(": ping", "data:", f"data: {ending}", "data: [DONE]"))
    assert (pieces, generation.finish_reason) == (["x"], "length")


def raising(error):
    def answer(_request):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (raising(httpx.ConnectError("x")), DependencyDown, "not reachable"),
        (raising(httpx.ConnectTimeout("x")), DependencyDown, "no connection in time"),
        (raising(httpx.ReadTimeout("x")), DependencyDown, "sent nothing in time"),
        (lambda _r: httpx.Response(503, text="{}"), DependencyDown, r"no model answered \(503\)"),
        (lambda _r: httpx.Response(401, text="{}"), DependencyDown, "GATEWAY_API_KEY"),
        (lambda _r: httpx.Response(400, text="exceed_context_size_error"), PromptTooLong, "exceed"),
    ],
)
async def test_a_refused_start_says_what_is_wrong(answer, error, message):
    with pytest.raises(error, match=message):
        await collect(answer)


@pytest.mark.parametrize(
    ("error", "nothing_sent"),
    [
        (httpx.ConnectError("x"), True),
        (httpx.ConnectTimeout("x"), True),
        (httpx.PoolTimeout("x"), True),
        (httpx.ReadError("x"), False),
        (httpx.ReadTimeout("x"), False),
        (httpx.RemoteProtocolError("x"), False),
    ],
)
async def test_only_a_connection_that_was_never_made_has_sent_nothing(error, nothing_sent):
    with pytest.raises(DependencyDown) as caught:
        await collect(raising(error))
    assert caught.value.nothing_sent is nothing_sent


async def test_the_wait_that_the_gateway_asks_for_is_passed_on():
    with pytest.raises(DependencyDown) as caught:
        await collect(lambda _request: httpx.Response(429, headers={"retry-after": "17"}))
    assert caught.value.retry_after == 17


async def test_a_connection_that_breaks_in_the_middle_is_named():
    async def body():
        yield b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n'
        raise httpx.ReadError("cut")

    with pytest.raises(DependencyDown, match="not reachable"):
        await collect(lambda _request: httpx.Response(200, content=body()))


async def test_without_time_left_nothing_is_sent(gateway):
    with pytest.raises(DependencyDown, match="no time left"):
        await collect(gateway, seconds=0)
    assert gateway.requests == []


@pytest.mark.parametrize("silence", [True, False])
async def test_a_refusal_whose_text_does_not_come_is_still_a_refusal(silence):
    async def body():
        if silence:
            await asyncio.Event().wait()
        raise httpx.ReadError("cut")
        yield b""

    with pytest.raises(DependencyDown, match=r"no model answered \(503\)"):
        await collect(lambda _request: httpx.Response(503, content=body()), seconds=0.05)


async def test_leaving_the_block_ends_the_generation(gateway, talking):
    gateway.stream = talking
    async with client(gateway).generate(BODY, Deadline.after(30)) as generation:
        assert await anext(generation.pieces()) == "first "
    assert talking.closed.is_set()


async def test_the_liveness_of_the_gateway(gateway):
    await client(gateway).alive()
    gateway.status = 503
    with pytest.raises(DependencyDown, match="503"):
        await client(gateway).alive()
    gateway.down = True
    with pytest.raises(DependencyDown, match="not reachable"):
        await client(gateway).alive()


async def test_calls_of_tools_are_read_only_where_tools_were_offered():
    call = {"index": 0, "function": {"name": "rm", "arguments": "{}"}}
    lines = [
        "data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}),
        "data: " + json.dumps({"choices": [{"delta": {"content": "x"}, "finish_reason": "tool_calls"}]}),
    ]
    generation, pieces = await collect(stream(*lines))
    assert (pieces, generation.finish_reason, generation.is_empty) == (["x"], "stop", False)
    body = BODY | {"tools": [{}]}
    async with client(stream(*lines)).generate(body, Deadline.after(30)) as generation:
        deltas = [delta async for delta in generation.deltas()]
    assert (deltas, generation.finish_reason) == ([{"tool_calls": [call]}, {"content": "x"}], "tool_calls")


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        (lambda _r: httpx.Response(200, json={"default_generation_settings": {"n_ctx": 4096}}), 4096),
        (lambda _r: httpx.Response(200, json={"default_generation_settings": {"n_ctx": 0}}), None),
        (lambda _r: httpx.Response(200, json={"default_generation_settings": 1}), None),
        (lambda _r: httpx.Response(200, json=[1]), None),
        (lambda _r: httpx.Response(200, text="<html>"), None),
        (lambda _r: httpx.Response(404), None),
    ],
)
async def test_the_context_of_a_server_is_what_it_tells(answer, tokens):
    assert await client(answer).context_tokens(Deadline.after(30)) == tokens


async def test_a_server_that_does_not_tell_its_context_is_named():
    with pytest.raises(DependencyDown, match="not reachable"):
        await client(raising(httpx.ConnectError("x"))).context_tokens(Deadline.after(30))

    async def never(_request):
        await asyncio.Event().wait()

    with pytest.raises(DependencyDown, match="in time"):
        await client(never).context_tokens(Deadline.after(0.01))


async def test_a_context_is_asked_for_once_in_a_while_and_kept_over_a_failure(monkeypatch):
    asked = []

    def props(_request):
        asked.append(1)
        if len(asked) > 1:
            raise httpx.ConnectError("gone")
        return httpx.Response(200, json={"default_generation_settings": {"n_ctx": 4096}})

    windows = Windows({"code": client(props)})
    assert [await windows.of("code") for _ in range(3)] == [4096] * 3
    assert (len(asked), await windows.of("chat")) == (1, None)
    monkeypatch.setattr("coderag_rag.answer.window.FRESH_SECONDS", 0.0)
    windows._known.clear()
    asked.clear()
    assert [await windows.of("code") for _ in range(3)] == [4096] * 3
    assert len(asked) == 3
