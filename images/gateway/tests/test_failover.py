"""Outages that last: what the pool does with them, and what the spec forbids. Each test breaks a gateway of its own."""

from collections.abc import Callable

import pytest

from images.gateway.tests.conversations import talk
from images.gateway.tests.running import Gateway, wait_for
from images.gateway.tests.upstream import Fault, error

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
Start = Callable[..., Gateway]


def test_busy_servers_are_asked_again_and_hanging_ones_only_after_the_cooldown(start_gateway: Start) -> None:
    gateway = start_gateway(router={"cooldown_time": 120}, roles={"stream_timeout": 2})
    chat, code = (gateway.upstreams[name] for name in ("chat", "code"))
    busy = (429, error("Too many requests"))
    chat.failures = [busy] * 6
    assert [talk(gateway, "chat", stream=False).served_by for _ in range(6)] == ["code"] * 6
    assert talk(gateway, "chat", stream=False).served_by == "chat"
    chat.failures, code.failures = [busy], [busy]
    told = talk(gateway, "chat", stream=False)
    assert told.status == 429
    assert int(told.headers["retry-after"]) >= 1
    assert talk(gateway, "chat", stream=False).served_by == "chat"

    chat.release.clear()
    chat.requests.clear()
    chat.fault = Fault("headers", "hang")
    assert [talk(gateway, "chat", stream=number % 2 == 0).served_by for number in range(8)] == ["code"] * 8
    assert len(chat.requests) == 2, "each of these cost its caller the time to the first token"


def wait_for_answer(gateway: Gateway, model: str) -> None:
    """Wait until a server that is back has cooled down."""
    wait_for(lambda: talk(gateway, model, stream=False).error is None)


def test_where_it_is_forbidden_nobody_stands_in(start_gateway: Start) -> None:
    nobody = [{"chat": []}, {"code": []}]
    gateway = start_gateway(router={"cooldown_time": 1, "fallbacks": [], "context_window_fallbacks": nobody})
    for model, other in (("chat", "code"), ("code", "chat")):
        gateway.upstreams[other].requests.clear()
        gateway.upstreams[model].stop()
        for stream in (True, False, True, False, True, False):
            told = talk(gateway, model, stream)
            assert told.error is not None
            assert (told.status, told.error["code"]) == (503, "models_unavailable")
            assert "retry-after" in told.headers
        assert gateway.upstreams[other].requests == []
        too_long = talk(gateway, other, False, messages=[{"role": "user", "content": "word " * 9000}])
        assert (too_long.status, too_long.error and too_long.error["code"]) == (400, "context_length_exceeded")
        gateway.upstreams[model].start()
        wait_for_answer(gateway, model)
