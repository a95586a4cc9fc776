"""A caller who hangs up costs nothing more."""

import asyncio

import pytest
from coderag_embedding.exchange import CallerGoneError, unless_gone
from fastapi import Request


def request_that(*messages, then_wait=False):
    queue = list(messages)

    async def receive():
        if not queue and then_wait:
            await asyncio.Event().wait()
        return queue.pop(0)

    return Request({"type": "http", "headers": []}, receive)


async def test_the_work_stops_when_the_caller_hangs_up():
    stopped = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises(CallerGoneError):
        await unless_gone(request_that({"type": "http.request"}, {"type": "http.disconnect"}), work())
    async with asyncio.timeout(5):
        await stopped.wait()


async def test_the_result_is_returned_to_a_caller_who_waits():
    assert await unless_gone(request_that(then_wait=True), asyncio.sleep(0, "done")) == "done"


async def test_a_route_whose_caller_left_answers_nobody(serving, model_factory):
    """Straight through ASGI: a client library cannot hang up in the middle."""
    async with serving(model_factory) as client:
        await client.service.manager.load()
        hang = asyncio.Event()
        client.service.lanes.run = lambda *_: hang.wait()
        body = {"type": "http.request", "body": b'{"model": "tiny", "input": "alpha"}'}
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", client.headers["authorization"].encode())]
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/embeddings", "raw_path": b"",
            "query_string": b"", "headers": headers, "scheme": "http", "root_path": "",
        }  # fmt: skip
        receive = request_that(body, {"type": "http.disconnect"}).receive
        await client._transport.app(scope, receive, send)
    assert sent[0]["status"] == 499
