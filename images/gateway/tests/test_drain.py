"""How the process ends, without one: signals, the delay, the ticks of the server."""

import signal

import pytest
import uvicorn
from coderag_gateway.drain import Drain, DrainingServer


@pytest.mark.parametrize(("delay", "closing"), [(0, True), (3600, False)])
def test_new_requests_are_refused_after_the_delay(delay: float, closing: bool) -> None:
    drain = Drain(delay)
    assert (drain.active, drain.closing) == (False, False)
    drain.begin()
    drain.begin()
    assert (drain.active, drain.closing) == (True, closing)


async def test_the_first_sigterm_drains_and_the_second_ends() -> None:
    drain = Drain(3600)
    server = DrainingServer(uvicorn.Config("no:app", log_config=None), drain)
    assert await server.on_tick(1) is False
    server.handle_exit(signal.SIGTERM, None)
    assert drain.active
    assert await server.on_tick(1) is False
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(1) is True


async def test_the_server_ends_by_itself_when_the_delay_is_over() -> None:
    server = DrainingServer(uvicorn.Config("no:app", log_config=None), Drain(0))
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(1) is True


async def test_an_interrupt_does_not_wait() -> None:
    server = DrainingServer(uvicorn.Config("no:app", log_config=None), Drain(3600))
    server.handle_exit(signal.SIGINT, None)
    assert await server.on_tick(1) is True
