"""aiohttp below httpx: what arrives, what comes back, and which of httpx's errors a failure becomes."""

import asyncio
import contextlib
import json
import socket

import httpx
import pytest
from coderag_rag.clients.embedding import EmbeddingClient
from coderag_rag.clients.transport import WholeAnswers

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-seen: yes\r\n\r\nok"


@contextlib.asynccontextmanager
async def server(answer):
    """A server that hands each request, head and body, to `answer` with the writer of its connection."""
    connections, serving = [], set()

    async def serve(reader, writer):
        connections.append(writer)
        serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((line for line in head.lower().splitlines() if line.startswith(b"content-length")), b":0")
                await answer(head, await reader.readexactly(int(length.split(b":")[1])), writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", connections
    finally:
        listening.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for writer in connections:
            writer.close()


@contextlib.asynccontextmanager
async def client(read=30.0):
    timeout = httpx.Timeout(30.0, read=read)
    async with httpx.AsyncClient(transport=WholeAnswers(), timeout=timeout, headers={"api-key": "k"}) as made:
        yield made


async def test_a_request_arrives_as_it_was_written_and_its_answer_comes_back_whole():
    asked = []

    async def answer(head, body, writer):
        asked.append((head, body))
        writer.write(ANSWER)

    async with server(answer) as (url, connections), client() as http:
        for _ in range(3):
            found = await http.post(f"{url}/a%20b?c=d%2Fe", content=b"\x00{}")
            assert (found.status_code, found.content, found.headers["x-seen"]) == (200, b"ok", "yes")
        assert len(connections) == 1
    head, body = asked[0]
    assert head.startswith(b"POST /a%20b?c=d%2Fe HTTP/1.1\r\n")
    assert b"api-key: k\r\n" in head.lower()
    assert body == b"\x00{}"


async def test_an_error_of_the_server_is_an_answer_and_no_redirect_is_followed():
    async def answer(head, _body, writer):
        status = b"302 Found\r\nlocation: /else" if b"/moved" in head else b"503 Busy\r\nretry-after: 7"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")

    async with server(answer) as (url, _), client() as http:
        assert (await http.get(url)).headers["retry-after"] == "7"
        assert (await http.get(f"{url}/moved")).status_code == 302


async def cut(_head, _body, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def hang_up(_head, _body, writer):
    writer.close()


async def say_nothing(_head, _body, _writer):
    await asyncio.Event().wait()


async def talk_nonsense(_head, _body, writer):
    writer.write(b"nonsense\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (hang_up, httpx.RemoteProtocolError),
        (cut, httpx.ReadError),
        (talk_nonsense, httpx.ReadError),
        (say_nothing, httpx.ReadTimeout),
    ],
)
async def test_a_failure_becomes_the_error_that_httpx_would_raise(answer, error):
    async with server(answer) as (url, _), client(read=0.2 if answer is say_nothing else 30.0) as http:
        with pytest.raises(error) as caught:
            await http.post(url, content=b"{}")
    assert type(caught.value) is error
    assert str(caught.value)
    assert caught.value.request.url == url


async def test_a_port_where_nobody_listens_is_a_failed_connection_and_no_timeout():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"http://127.0.0.1:{taken.getsockname()[1]}")


async def test_a_connection_that_is_not_taken_in_time_is_a_timeout_of_connecting():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            async with httpx.AsyncClient(transport=WholeAnswers(), timeout=httpx.Timeout(30.0, connect=0.1)) as http:
                with pytest.raises(httpx.ConnectTimeout):
                    await http.get(url)
        finally:
            for one in waiting:
                one.close()


async def test_a_request_that_is_given_up_leaves_no_connection_to_be_used_again():
    arrived = asyncio.Event()

    async def answer(_head, _body, writer):
        if not arrived.is_set():
            arrived.set()
            await asyncio.Event().wait()
        writer.write(ANSWER)

    async with server(answer) as (url, connections), client() as http:
        given_up = asyncio.create_task(http.post(url, content=b"{}"))
        await arrived.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await http.post(url, content=b"{}")).content == b"ok"
        assert len(connections) == 2


async def test_an_idle_connection_is_closed_from_this_side_before_the_server_does():
    async def answer(_head, _body, writer):
        writer.write(ANSWER)

    transport = WholeAnswers(idle_seconds=0.05)
    async with server(answer) as (url, connections), httpx.AsyncClient(transport=transport, timeout=30) as http:
        await http.get(url)
        async with asyncio.timeout(30):
            await connections[0].wait_closed()
        await http.get(url)
        assert len(connections) == 2


MODEL = {"id": "m", "revision": "1", "dimensions": 1, "max_tokens": 9, "pooling": "mean", "precision": "int8"}


async def test_a_look_at_the_model_takes_a_new_connection_and_a_query_one_that_is_open():
    answers = {
        b"GET": {"data": [MODEL | {"query_prompt": "", "passage_prompt": ""}]},
        b"POST": {"data": [{"index": 0, "embedding": [1.0]}]},
    }
    asked = []

    async def answer(head, _body, writer):
        asked.append(id(writer))
        text = json.dumps(answers[head.split()[0]]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))

    async with server(answer) as (url, _):
        client = EmbeddingClient(url, None)
        for _ in range(2):
            assert (await client.model()).model == "m"
            assert (await client.embed(["text"], "m", "query")).vectors == [[1.0]]
        await client.aclose()
    looks, queries = asked[::2], asked[1::2]
    assert len({*looks, *queries}) == 3
    assert len(set(queries)) == 1
