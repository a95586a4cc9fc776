"""The model `coderag` as OpenAI's own client sees it, over a real socket."""

import asyncio
import json
import socket

import httpx
import openai
import pytest
import uvicorn


@pytest.fixture
async def address(service, served):
    """The service on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(service.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task
    listener.close()


@pytest.fixture
async def client(address):
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="user-key", max_retries=0) as made:
        yield made


TURNS = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Where is retry in the WorkQueue?"},
]
SOURCES = f"\n\nSources:\n[1] app operator/engine/workqueue.py:1-4 @{'0' * 7}"


async def test_a_whole_answer_ends_with_its_verified_sources(client, gateway):
    answer = await client.chat.completions.create(model="coderag", messages=TURNS, temperature=0.5, max_tokens=9)
    assert answer.choices[0].message.content == "It is here [1]." + SOURCES
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 16
    sent = gateway.requests[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("code", 0.5, 9)
    assert "Question: Where is retry" in sent["messages"][-1]["content"]


async def test_a_stream_never_shows_an_invented_marker(client, gateway):
    gateway.pieces = ["It is [", "9", "9] here ", "[1", "]", "."]
    stream = await client.chat.completions.create(
        model="coderag", messages=TURNS, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == "It is here [1]." + SOURCES
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 16
    assert [citation["marker"] for citation in chunks[-2].citations] == ["[1]"]
    assert chunks[-3].choices[0].delta.provider_specific_fields["citations"] == chunks[-2].citations


async def test_without_citations_there_is_no_list(client, gateway):
    gateway.pieces = ["I do not know."]
    stream = await client.chat.completions.create(model="coderag", messages=TURNS, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == "I do not know."


async def test_usage_is_estimated_where_the_gateway_counts_none(client, gateway):
    gateway.tail = [{"choices": [{"delta": {}, "finish_reason": "length"}]}]
    answer = await client.chat.completions.create(model="coderag", messages=TURNS)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 20


async def test_content_may_come_in_parts(client, gateway):
    parts = [{"type": "text", "text": "Where is"}, {"type": "text", "text": "retry?"}]
    await client.chat.completions.create(model="coderag", messages=[{"role": "user", "content": parts}])
    assert "Question: Where is\nretry?" in gateway.requests[0]["messages"][1]["content"]


async def test_models_are_listed(client):
    assert [model.id for model in (await client.models.list()).data] == ["coderag"]


async def test_errors_are_those_of_openai(client, gateway):
    with pytest.raises(openai.BadRequestError, match="no user turn"):
        await client.chat.completions.create(model="coderag", messages=[{"role": "system", "content": "x"}])
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="gpt-4", messages=TURNS)
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="wrong").models.list()
    gateway.down = True
    with pytest.raises(openai.InternalServerError, match="gateway is not available"):
        await client.chat.completions.create(model="coderag", messages=TURNS, stream=True)


async def test_a_stream_that_breaks_off_ends_with_an_error_and_not_with_done(client, gateway):
    gateway.tail = []
    with pytest.raises(openai.APIError, match="before it was complete"):
        async for _ in await client.chat.completions.create(model="coderag", messages=TURNS, stream=True):
            pass


async def test_a_cut_stream_shows_what_came_and_then_the_error_object(address, gateway, served):
    gateway.tail = []
    headers = {"authorization": "Bearer user-key"}
    body = {"model": "coderag", "messages": TURNS, "stream": True}
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        answer = await http.post("/v1/chat/completions", json=body)
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    *chunks, error = [json.loads(event) for event in events]
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "It is here [1]."
    assert set(error) == {"error"}
    assert set(error["error"]) == {"message", "type", "param", "code", "hint"}
    assert (error["error"]["type"], error["error"]["code"]) == ("server_error", "gateway_unavailable")
    assert answer.status_code == 200
    assert (await metrics_of(address)).count("coderag_answers_cut_total 1.0") == 1


async def metrics_of(address):
    async with httpx.AsyncClient(base_url=address) as http:
        return (await http.get("/metrics")).text


async def test_an_error_that_nobody_foresaw_ends_the_stream_aloud_and_tells_nothing(client, monkeypatch, caplog):
    def fail(*_arguments):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("coderag_rag.api.chat.sources_list", fail)
    with pytest.raises(openai.APIError, match="internal error") as caught:
        async for _ in await client.chat.completions.create(model="coderag", messages=TURNS, stream=True):
            pass
    assert "secret" not in str(caught.value.body)
    assert "secret detail" in caplog.text


async def test_a_model_that_fails_before_its_first_word_has_a_status_code(client, gateway):
    gateway.pieces, gateway.tail = [], []
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model="coderag", messages=TURNS, stream=True)
    assert caught.value.status_code == 503
    assert int(caught.value.response.headers["retry-after"]) >= 1


async def test_a_cut_stream_is_documented(address):
    async with httpx.AsyncClient(base_url=address, headers={"authorization": "Bearer user-key"}) as http:
        described = (await http.get("/openapi.json")).json()["paths"]["/v1/chat/completions"]["post"]
    assert "without `[DONE]`" in described["description"]
    stream = described["responses"]["200"]["content"]["text/event-stream"]
    (example,) = stream["examples"].values()
    assert json.loads(example["value"].removeprefix("data: "))["error"]["code"] == "gateway_unavailable"


async def test_closing_the_stream_while_the_model_is_silent_stops_the_generation(client, gateway, silent):
    gateway.stream = silent
    stream = await client.chat.completions.create(model="coderag", messages=TURNS, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await asyncio.wait_for(silent.closed.wait(), 10)


async def test_closing_the_stream_stops_the_generation(client, gateway, talking):
    gateway.stream = talking
    stream = await client.chat.completions.create(model="coderag", messages=TURNS, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await asyncio.wait_for(talking.closed.wait(), 10)


async def test_leaving_a_whole_answer_stops_the_generation(client, gateway, talking):
    gateway.stream = talking
    asking = asyncio.create_task(client.chat.completions.create(model="coderag", messages=TURNS))
    await asyncio.wait_for(talking.started.wait(), 10)
    asking.cancel()
    await asyncio.wait_for(talking.closed.wait(), 10)


async def test_sources_are_listed_apart_from_citations(client, gateway):
    gateway.pieces = ["It is here [2]."]
    answer = await client.chat.completions.create(model="coderag", messages=TURNS)
    assert [citation["marker"] for citation in answer.citations] == ["[2]"]
    assert len(answer.sources) > len(answer.citations)
    assert set(answer.sources[0]) == {"repository", "ref", "commit", "path", "start_line", "end_line", "score"}
    assert (answer.task, answer.degraded) == ("explain", [])


async def test_a_follow_up_is_searched_and_asked_with_what_it_leans_on(client, gateway, embedding):
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "How does WorkQueue.retry wait?"},
        {"role": "assistant", "content": "It calls `add_after` [3]." + SOURCES},
        {"role": "user", "content": "And where is it tested?"},
        {"role": "assistant", "content": "ignored prefix"},
    ]
    await client.chat.completions.create(model="coderag", messages=turns)
    assert embedding.queries[-1]["input"] == ["And where is it tested?\nHow does WorkQueue.retry wait?\nadd_after"]
    system, asked, answered, last = gateway.requests[-1]["messages"]
    assert system["content"].endswith("Be kind.")
    assert asked == {"role": "user", "content": "How does WorkQueue.retry wait?"}
    assert answered == {"role": "assistant", "content": "It calls `add_after`."}
    assert last["content"].endswith("Question: And where is it tested?")
    assert len(gateway.requests) == 1


async def test_sampling_options_reach_the_model_and_nothing_else_does(client, gateway):
    await client.chat.completions.create(
        model="coderag", messages=TURNS, stop=["END"], seed=7, top_p=0.5, presence_penalty=1, frequency_penalty=-1,
        max_completion_tokens=9, user="someone", response_format={"type": "json_object"}, extra_body={"grammar": "x"},
    )  # fmt: skip
    sent = gateway.requests[0]
    assert (sent["stop"], sent["seed"], sent["top_p"], sent["max_tokens"]) == (["END"], 7, 0.5, 9)
    assert not {"user", "response_format", "grammar", "tools", "max_completion_tokens"} & set(sent)


NO_MATCH = [{"role": "user", "content": "How do I bake sourdough bread?"}]


async def test_a_question_about_something_else_is_answered_by_saying_so(client, gateway):
    answer = await client.chat.completions.create(model="coderag", messages=NO_MATCH)
    assert "found nothing" in answer.choices[0].message.content
    assert (answer.choices[0].finish_reason, answer.usage.total_tokens) == ("stop", 0)
    assert (answer.refused, answer.citations, answer.sources) == ("nothing_relevant", [], [])
    korean = [{"role": "user", "content": "Kafka 컨슈머는 어떻게 리밸런스하나요?"}]
    stream = await client.chat.completions.create(
        model="coderag", messages=korean, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "찾지 못했습니다" in chunks[0].choices[0].delta.content
    assert (chunks[1].refused, chunks[1].choices[0].finish_reason) == ("nothing_relevant", "stop")
    assert chunks[2].usage.total_tokens == 0
    assert gateway.requests == []


async def test_a_stream_says_nothing_of_usage_unless_asked(client):
    stream = await client.chat.completions.create(model="coderag", messages=NO_MATCH, stream=True)
    assert all(chunk.choices and chunk.usage is None for chunk in [chunk async for chunk in stream])


TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]
CALLS = [
    {"index": 0, "id": "call-1", "type": "function", "function": {"name": "read", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"path": '}},
    {"index": 0, "function": {"arguments": '"a.py"}'}},
]
CALLING = [
    *({"choices": [{"delta": {"tool_calls": [call]}}]} for call in CALLS),
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
]


async def test_a_request_with_tools_is_passed_through_without_any_retrieved_text(client, gateway, embedding):
    gateway.pieces, gateway.tail = ["One moment."], CALLING
    turns = [
        *TURNS,
        {"role": "assistant", "tool_calls": [CALLS[0]]},
        {"role": "tool", "tool_call_id": "call-1", "content": "x = 1"},
    ]
    answer = await client.chat.completions.create(
        model="coderag", messages=turns, tools=TOOLS, tool_choice="auto", parallel_tool_calls=False, max_tokens=5
    )
    message = answer.choices[0].message
    (call,) = message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call-1", "read", '{"path": "a.py"}')
    assert (message.content, answer.choices[0].finish_reason) == ("One moment.", "tool_calls")
    sent = gateway.requests[0]
    assert (sent["messages"], sent["tools"]) == (turns, TOOLS)
    assert (sent["model"], sent["tool_choice"], sent["parallel_tool_calls"]) == ("code", "auto", False)
    assert sent["max_tokens"] == 5
    assert embedding.queries == []


async def test_calls_of_tools_stream_as_they_come(client, gateway):
    gateway.pieces, gateway.tail = [], CALLING
    stream = await client.chat.completions.create(
        model="coderag", messages=TURNS, tools=TOOLS, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    told = "".join(
        chunk.choices[0].delta.tool_calls[0].function.arguments
        for chunk in chunks
        if chunk.choices and chunk.choices[0].delta.tool_calls
    )
    assert told == '{"path": "a.py"}'
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 0)
    gateway.tail = []
    with pytest.raises(openai.InternalServerError, match="before it was complete"):
        await client.chat.completions.create(model="coderag", messages=TURNS, tools=TOOLS, stream=True)


async def test_tools_that_may_not_be_called_leave_a_question_a_question(client, gateway):
    await client.chat.completions.create(model="coderag", messages=TURNS, tools=TOOLS, tool_choice="none")
    assert "tools" not in gateway.requests[0]
    assert "Question: Where is retry" in gateway.requests[0]["messages"][-1]["content"]


async def test_a_call_of_a_tool_that_nobody_offered_is_never_passed_on(client, gateway):
    gateway.pieces, gateway.tail = ["It is here [1]."], CALLING
    answer = await client.chat.completions.create(model="coderag", messages=TURNS)
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"
    gateway.pieces = []
    with pytest.raises(openai.InternalServerError, match="before the first word"):
        await client.chat.completions.create(model="coderag", messages=TURNS)
    gateway.tail, gateway.pieces = None, ["Yes."]
    for _ in range(3):  # what a text makes a model do opens no breaker
        assert (await client.chat.completions.create(model="coderag", messages=TURNS)).choices


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": 3}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages"),
        ({"temperature": 9}, "temperature"),
        ({"n": 2}, "n"),
        ({"seed": 2**70}, "seed"),
        ({"tools": [{"type": "mcp"}]}, "tools.0.type"),
        ({"stream_options": 1}, "stream_options"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_bad_input_names_its_field(service, served, fields, param):
    answer = await service.http.post("/v1/chat/completions", json={"model": "coderag", "messages": TURNS} | fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_leaving_a_passed_through_request_stops_the_generation(client, gateway, talking):
    gateway.stream = talking
    asking = asyncio.create_task(
        client.chat.completions.create(model="coderag", messages=TURNS, tools=TOOLS, stream=False)
    )
    await asyncio.wait_for(talking.started.wait(), 30)
    asking.cancel()
    await asyncio.wait_for(talking.closed.wait(), 30)
