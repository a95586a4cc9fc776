"""Every request that is sent is recorded once, as what it was."""

import asyncio
import contextlib
import json

import pytest

from e2e.failover.load import Target, run
from e2e.failover.record import Outcome
from e2e.failover.sse import Piece, read_piece

WHOLE = {"choices": [{"message": {"content": "hello"}}]}


def event(value):
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


TOKEN = event({"choices": [{"delta": {"content": "a"}}]})
ROLE = event({"choices": [{"delta": {"role": "assistant"}}]})
LAST = event({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + event(b"[DONE]")
ERROR = event({"error": {"message": "the server went away"}})


@contextlib.asynccontextmanager
async def answering(raw, connections=None):
    """A server that answers every request with these bytes and closes; None closes without a word."""

    async def handle(reader, writer):
        if connections is not None:
            connections.append(writer)
        while head := await read_request(reader):
            answer = raw(head) if callable(raw) else raw
            if answer is None:
                break
            writer.write(answer)
            await writer.drain()
            if b"Connection: close" in answer:
                break
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_request(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return json.loads(await reader.readexactly(length))


def whole(value, status=200, more=""):
    body = json.dumps(value).encode()
    return (
        f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nx-litellm-model-id: code\r\n{more}\r\n".encode() + body
    )


def streamed(*events):
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(events)


async def send(url, stop=None, **settings):
    records = []
    target = Target(**{"name": "t", "url": url, "key": "k", "rate": 200, "requests": 4, "streams": 0, **settings})
    await run([target], records.append, stop or asyncio.Event())
    return records


@pytest.mark.parametrize(
    ("raw", "streams", "outcome"),
    [
        (whole(WHOLE), 0, Outcome.OK),
        (whole({"error": {"message": "no"}}, 503), 0, Outcome.FAILED),
        (whole({"error": {"message": "no"}}, 503), 1, Outcome.FAILED),
        (whole({"choices": []}), 0, Outcome.FAILED),
        (whole(["what is this"]), 0, Outcome.FAILED),
        (None, 0, Outcome.REFUSED),
        (whole(WHOLE, more="Connection: close\r\n")[:-5], 0, Outcome.FAILED),
        (streamed(ROLE, TOKEN, LAST), 1, Outcome.OK),
        (streamed(ROLE, TOKEN), 1, Outcome.CUT),
        (streamed(ROLE, TOKEN, ERROR), 1, Outcome.CUT),
        (streamed(ROLE, ERROR), 1, Outcome.FAILED),
        (streamed(), 1, Outcome.FAILED),
        (streamed(ROLE), 1, Outcome.FAILED),
    ],
)
async def test_an_answer_is_recorded_as_what_it_is(raw, streams, outcome):
    async with answering(raw) as url:
        records = await send(url, streams=streams, timeout=2)
    assert [record.outcome for record in records] == [outcome] * 4


async def test_nobody_listening_is_refused():
    async with answering(None) as url:
        pass
    assert {record.outcome for record in await send(url)} == {Outcome.REFUSED}


async def test_half_of_the_requests_stream_and_the_server_is_named():
    def answer(request):
        return streamed(TOKEN, LAST) if request["stream"] else whole(WHOLE)

    async with answering(answer) as url:
        records = await send(url, streams=0.5, requests=10)
    assert sum(record.stream for record in records) == 5
    assert {record.outcome for record in records} == {Outcome.OK}
    assert {record.served_by for record in records if not record.stream} == {"code"}
    assert sorted(record.number for record in records) == list(range(10))


async def test_a_new_connection_for_each_request_only_where_asked():
    for fresh, count in ((True, 6), (False, 1)):
        connections = []
        async with answering(whole(WHOLE), connections) as url:
            await send(url, workers=1, requests=6, new_connection=fresh)
        assert len(connections) == count


async def test_a_silent_server_costs_patience_not_the_rest_of_the_run():
    async with answering(b"") as url:
        records = await send(url, timeout=0.2)
    assert {record.outcome for record in records} == {Outcome.TIMED_OUT}


async def test_after_the_stop_what_is_under_way_is_still_recorded():
    stop = asyncio.Event()

    def answer(_):
        stop.set()
        return whole(WHOLE)

    async with answering(answer) as url:
        records = await send(url, stop, requests=0, rate=50)
    assert records
    assert {record.outcome for record in records} == {Outcome.OK}


def test_what_is_no_event_says_nothing_and_what_is_no_json_is_an_error():
    assert read_piece(": keep-alive") == Piece()
    assert read_piece("data: [DONE]") == Piece(is_end=True)
    assert "not JSON" in read_piece("data: {").error
    assert read_piece('data: {"choices": []}') == Piece()
    assert read_piece('data: {"choices": [{"text": "x"}]}') == Piece("x")
