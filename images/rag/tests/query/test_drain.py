"""SIGTERM: answers under way end by themselves, or by their deadline, and then the server does."""

import asyncio
import json
import signal
import socket

import httpx
import pytest
import uvicorn
from coderag_rag.__main__ import drain_seconds

pytestmark = pytest.mark.slow

WORD = b'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


class Held(httpx.AsyncByteStream):
    """An answer that stops after its first word until it may go on."""

    def __init__(self):
        self.go_on = asyncio.Event()

    async def __aiter__(self):
        yield WORD
        await self.go_on.wait()
        yield WORD + END


@pytest.fixture
async def server(service, served, settings):
    """The service behind the server that the program starts, on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        service.app, log_config=None, lifespan="off", timeout_graceful_shutdown=drain_seconds(settings)
    )
    made = uvicorn.Server(config)
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    made.running = asyncio.create_task(made._serve([listener]))  # serve() would take this process's signals
    yield made
    made.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(made.running, 10)
    listener.close()


async def terminate(server):
    """Send SIGTERM as the process would get it; return when nobody new is let in."""
    server.handle_exit(signal.SIGTERM, None)
    while server.servers[0].is_serving():  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as http:
            await http.get(server.url + "/healthz")


def streaming(server):
    body = {"model": "coderag", "messages": [{"role": "user", "content": "Where is retry?"}], "stream": True}
    return server.http.stream("POST", "/v1/chat/completions", json=body)


@pytest.fixture
async def http(server):
    async with httpx.AsyncClient(base_url=server.url, headers={"authorization": "Bearer user-key"}) as made:
        server.http = made
        yield made


async def words(answer):
    return [json.loads(line[6:]) if line != "data: [DONE]" else "done" async for line in answer.aiter_lines() if line]


async def test_an_answer_under_way_is_given_whole(server, http, gateway):
    gateway.stream = Held()
    async with streaming(server) as answer:
        await terminate(server)
        gateway.stream.go_on.set()
        *chunks, last = await words(answer)
    assert last == "done"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "word word "
    await asyncio.wait_for(server.running, 10)


async def test_a_whole_answer_under_way_is_given_too(server, http, gateway):
    gateway.stream = Held()
    asking = asyncio.create_task(http.post("/v1/ask", json={"question": "Where is retry?"}))
    while not gateway.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await terminate(server)
    gateway.stream.go_on.set()
    assert (await asking).json()["answer"] == "word word"
    await asyncio.wait_for(server.running, 10)


@pytest.mark.parametrize("environment", [{"RAG_LLM_TIMEOUT": "0.5"}], indirect=True)
async def test_an_answer_that_does_not_end_holds_the_drain_until_its_deadline_only(server, http, gateway):
    gateway.stream = Held()
    async with streaming(server) as answer:
        await terminate(server)
        last = (await words(answer))[-1]
    assert last["error"]["code"] == "gateway_unavailable"
    await asyncio.wait_for(server.running, 10)
