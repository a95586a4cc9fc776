"""What SIGTERM does to the real process with streams in flight."""

import json
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from images.gateway.tests.running import Gateway, wait_for

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
BODY = {"stream": True, "messages": [{"role": "user", "content": "x"}]}


class Reader:
    """One caller in the middle of a stream."""

    def __init__(self, stack: ExitStack, gateway: Gateway, model: str) -> None:
        """Ask, and read up to the last word; the server holds back the end."""
        client = stack.enter_context(gateway.client())
        self.answer = stack.enter_context(client.stream("POST", "/v1/chat/completions", json={**BODY, "model": model}))
        self.lines = (line for line in self.answer.iter_lines() if line)
        self.text, self.model = "", model
        while self.text != f"I am {model}":
            self.read()

    def read(self) -> str:
        """Read one event."""
        event = next(self.lines).removeprefix("data: ")
        if event != "[DONE]":
            self.text += "".join(c["delta"].get("content") or "" for c in json.loads(event)["choices"])
        return event

    def read_to_the_end(self) -> None:
        """Read until the stream says that it is over."""
        while self.read() != "[DONE]":
            pass


def test_sigterm_loses_none_of_eight_streams_and_refuses_new_ones_only_later(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(own={"drain_delay": 5})
    for name in ("chat", "code"):
        gateway.upstreams[name].release.clear()
    with ExitStack() as stack:
        readers = [Reader(stack, gateway, model) for model in ("chat", "code") * 4]
        probe = stack.enter_context(gateway.client(None))
        gateway.process.terminate()
        wait_for(lambda: probe.get("/health/readiness").status_code == 503)
        assert probe.get("/health/liveliness").status_code == 200
        late = gateway.ask("coderag")  # sent before anybody took the address out of the Service
        assert (late.status_code, late.headers["connection"]) == (200, "close")

        wait_for(lambda: is_refused(gateway))
        assert gateway.process.poll() is None
        for name in ("chat", "code"):
            gateway.upstreams[name].release.set()
        for reader in readers:
            reader.read_to_the_end()
            assert reader.text == f"I am {reader.model}"
    assert gateway.process.wait(30) == 0


def is_refused(gateway: Gateway) -> bool:
    """Tell whether nobody listens any more."""
    try:
        httpx.get(f"{gateway.url}/health/liveliness")
    except httpx.ConnectError:
        return True
    return False
