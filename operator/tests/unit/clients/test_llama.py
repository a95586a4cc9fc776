"""What a llama.cpp server says about itself, and what its silence is taken for."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from coderag_operator.clients import llama
from coderag_operator.failover.progress import Counters, Read

METRICS = """# HELP llamacpp:requests_processing Number of requests processing.
llamacpp:prompt_tokens_total 120
llamacpp:tokens_predicted_total 33
llamacpp:n_decode_total 40
llamacpp:requests_processing 2
llamacpp:requests_deferred 1
"""


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def replying(status: int, body: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer key"
        return httpx.Response(status, **({"text": body} if isinstance(body, str) else {"json": body}))

    return answer


def raising(error: type[httpx.HTTPError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("x")

    return answer


async def counters(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Read, Counters | None]:
    return await llama.read_counters(client(answer), "http://pod", "key", 1)


async def test_counters_are_read():
    assert await counters(replying(200, METRICS)) == (Read.ANSWERED, Counters(3, (40.0, 33.0, 120.0)))


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (raising(httpx.ReadTimeout), Read.SILENT),
        (raising(httpx.WriteTimeout), Read.SILENT),
        (raising(httpx.ConnectTimeout), Read.FAILED),
        (raising(httpx.ConnectError), Read.FAILED),
        (raising(httpx.RemoteProtocolError), Read.FAILED),
        (replying(503, "loading"), Read.FAILED),
        (replying(200, "something else"), Read.FAILED),
        (replying(200, "llamacpp:requests_processing many"), Read.FAILED),
        (replying(401, "no"), Read.REFUSED),
    ],
)
async def test_only_silence_counts_as_silence(answer: Callable[[httpx.Request], httpx.Response], read: Read):
    assert await counters(answer) == (read, None)


async def test_a_page_without_an_end_is_not_read_for_ever():
    async def grow() -> AsyncIterator[bytes]:
        while True:
            yield b"# more\n" * 4096

    assert await counters(lambda _: httpx.Response(200, content=grow())) == (Read.FAILED, None)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (replying(200, {"choices": [{}]}), ""),
        (replying(200, {"choices": []}), "the answer has no choices"),
        (replying(200, "<html>"), "the answer is no JSON"),
        (replying(400, {"error": {}}), "a request was answered with 400"),
        (raising(httpx.ReadTimeout), "a request ended in ReadTimeout"),
    ],
)
async def test_a_canary_is_an_answer_with_a_choice(answer: Callable[[httpx.Request], httpx.Response], trouble: str):
    assert await llama.try_canary(client(answer), "http://pod", "key", 1) == trouble


@pytest.mark.parametrize(
    ("properties", "trouble"),
    [
        ({"model_path": "/models/a.gguf", "default_generation_settings": {"n_ctx": 4096}}, ""),
        ({"model_path": "/models/a.gguf", "default_generation_settings": {"n_ctx": 4352 - 1}}, ""),
        ({}, ""),
        ({"model_path": "/models/b.gguf"}, "it has loaded /models/b.gguf and not /models/a.gguf"),
        ({"default_generation_settings": {"n_ctx": 2048}}, "a request has 2048 tokens and not 4096"),
    ],
)
async def test_what_is_loaded_is_compared_with_the_spec(properties: dict[str, Any], trouble: str):
    made = client(replying(200, properties))
    assert await llama.check_properties(made, "http://pod", "key", "/models/a.gguf", 4096, 1) == trouble


@pytest.mark.parametrize("answer", [replying(500, {}), replying(200, "x"), raising(httpx.ReadError)])
async def test_properties_that_cannot_be_read_are_no_proof(answer: Callable[[httpx.Request], httpx.Response]):
    trouble = await llama.check_properties(client(answer), "http://pod", "key", "/m", 4096, 1)
    assert trouble.startswith("its properties cannot be read")
