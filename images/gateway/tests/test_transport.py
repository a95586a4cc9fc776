"""The step before the network, against servers made of a few lines: limits, first tokens, ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from coderag_gateway.options import Target
from coderag_gateway.transport import ModelTransport

BASE = "http://model/v1/"
TOKEN = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
ROLE = b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
FOREVER = "forever"
Part = bytes | str | Exception


class Body(httpx.AsyncByteStream):
    """A body that gives its parts, waits for ever at FOREVER and raises errors."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts, self.closed = parts, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, str):
                await asyncio.Event().wait()
            else:
                yield part

    async def aclose(self) -> None:
        self.closed = True


class Server:
    """Remembers what it was asked and answers with one body."""

    def __init__(self, *parts: Part, kind: str = "text/event-stream", status: int = 200) -> None:
        self.body, self.kind, self.status = Body(parts), kind, status
        self.requests: list[httpx.Request] = []
        self.asked = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked.set()
        return httpx.Response(self.status, headers={"content-type": self.kind}, stream=self.body)


Handler = Callable[[httpx.Request], Any]


def connect(handler: Handler, streamed: bool = True, first: float = 0.05, total: float = 5) -> httpx.AsyncClient:
    inner = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    target = Target(BASE, connect=0.5, first_token=first, total=total, streamed=streamed)
    return httpx.AsyncClient(transport=ModelTransport(inner, (target,)))


async def ask(handler: Handler, stream: bool = False, **options: Any) -> httpx.Response:
    async with connect(handler, **options) as client:
        return await client.post(BASE + "chat/completions", json={"model": "chat", "stream": stream}, timeout=7)


async def test_the_connection_has_its_own_time_and_the_rest_is_litellms() -> None:
    server = Server(TOKEN, DONE)
    await ask(server, stream=True)
    assert server.requests[0].extensions["timeout"] == {"connect": 0.5, "read": 7, "write": 7, "pool": 7}
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_stream_arrives_unchanged_however_it_is_cut() -> None:
    body = ROLE + TOKEN + TOKEN + DONE
    answer = await ask(Server(body[:70], body[70:130], body[130:]), stream=True)
    assert answer.content == body
    assert answer.headers["content-type"] == "text/event-stream"


async def test_a_caller_that_does_not_stream_gets_one_document() -> None:
    server = Server(ROLE, TOKEN, TOKEN, DONE)
    answer = await ask(server)
    assert answer.json()["choices"][0]["message"]["content"] == "aa"
    assert json.loads(server.requests[0].content)["stream"] is True
    assert server.body.closed


async def test_a_server_that_answers_at_once_is_left_alone() -> None:
    answer = await ask(Server(b'{"choices": []}', kind="application/json"))
    assert answer.json() == {"choices": []}
    refused = await ask(Server(b'{"error": {}}', kind="application/json", status=503), stream=True)
    assert (refused.status_code, refused.json()) == (503, {"error": {}})


async def test_other_models_are_not_asked_for_streams() -> None:
    server = Server(b"{}", kind="application/json")
    await ask(server, streamed=False)
    assert json.loads(server.requests[0].content) == {"model": "chat", "stream": False}


async def test_other_addresses_pass_untouched() -> None:
    server = Server(ROLE)
    async with connect(server) as client:
        answer = await client.post("http://elsewhere/v1/chat/completions", json={}, timeout=7)
    assert answer.content == ROLE
    assert server.requests[0].extensions["timeout"]["connect"] == 7


async def hang(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("handler", [hang, Server(FOREVER), Server(ROLE, FOREVER), Server(b": ping\n\n", FOREVER)])
async def test_without_a_first_token_the_call_ends_in_time(handler: Handler, stream: bool) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await ask(handler, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_pause_in_the_middle_ends_in_time_too(stream: bool) -> None:
    server = Server(TOKEN, FOREVER)
    with pytest.raises(httpx.ReadTimeout):
        await ask(server, stream=stream)
    assert server.body.closed


async def test_a_plain_answer_may_take_as_long_as_the_whole() -> None:
    with pytest.raises(httpx.ReadTimeout):
        await ask(Server(FOREVER, kind="application/json"), streamed=False, first=0.01, total=0.05)


async def drip() -> AsyncIterator[bytes]:
    while True:
        yield TOKEN
        await asyncio.sleep(0.01)


async def test_a_stream_that_never_ends_ends_with_the_time_for_the_whole() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=drip())

    with pytest.raises(httpx.ReadTimeout):
        await ask(answer, stream=True, first=3, total=0.1)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "parts", [(), (ROLE,), (ROLE, TOKEN), (httpx.ReadError("reset"),), (TOKEN, httpx.ReadError("reset"))]
)
async def test_a_stream_that_stops_before_its_end_is_an_error(parts: tuple[Part, ...], stream: bool) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(Server(*parts), stream=stream)


async def test_what_came_before_the_break_is_passed_on() -> None:
    client = connect(Server(ROLE, TOKEN))
    async with client, client.stream("POST", BASE + "chat/completions", json={"stream": True}) as answer:
        parts = answer.aiter_raw()
        assert [await anext(parts), await anext(parts)] == [ROLE, TOKEN]
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(parts)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("code", "status"), [(400, 400), (503, 503), ("x", 500), (200, 500)])
async def test_an_error_as_the_first_piece_becomes_a_status(code: Any, status: int, stream: bool) -> None:
    error = json.dumps({"error": {"code": code, "message": "boom"}}).encode()
    answer = await ask(Server(b"data: " + error + b"\n\n"), stream=stream)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, "boom")


async def test_an_error_in_the_middle_spoils_a_document_and_passes_in_a_stream() -> None:
    parts = (TOKEN, b'data: {"error": {"message": "boom"}}\n\n')
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(Server(*parts))
    assert (await ask(Server(*parts), stream=True)).content == b"".join(parts)


async def test_an_empty_answer_is_passed_on_in_a_stream_and_refused_as_a_document() -> None:
    assert (await ask(Server(DONE), stream=True)).content == DONE
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(Server(DONE))


async def test_a_caller_that_goes_away_closes_the_connection_to_the_server() -> None:
    server = Server(ROLE, FOREVER)
    waiting = asyncio.create_task(ask(server, first=60, total=60))
    await server.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert server.body.closed


async def test_a_failed_connection_is_told_without_what_led_to_it():
    def refuse(request):
        try:
            raise OSError("socket")
        except OSError as error:
            raise httpx.ConnectError("refused", request=request) from error

    with pytest.raises(httpx.ConnectError, match="refused") as told:
        await ask(refuse)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
