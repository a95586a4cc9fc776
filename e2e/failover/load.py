"""A steady stream of chat completions to several addresses at once, each one recorded.

    python -m e2e.failover.load < load.json > records.jsonl

The settings come on stdin because keys are in them. Requests start by the clock, not when the one before has ended: a
server that stands still gets no fewer of them. With `workers` the next one starts when the last has ended instead.
SIGTERM ends the sending; what is under way is waited for, so that every request that was sent is in the records.
"""

import asyncio
import contextlib
import itertools
import json
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from e2e.failover.record import Outcome, Record, to_line
from e2e.failover.sse import read_piece

SERVED_BY = "x-litellm-model-id"
WRITE = Callable[[Record], None]
# One for all clients: making one takes longer than a request, and every address here is plain HTTP.
TLS = ssl.create_default_context()


@dataclass(frozen=True)
class Target:
    """Where to send what, and how often."""

    name: str
    url: str
    key: str
    model: str = "chat"
    rate: float = 5.0  # requests a second
    workers: int = 0  # with a number here, that many at a time instead of a rate
    requests: int = 0  # 0: until told to stop
    streams: float = 0.5  # share of streaming requests
    new_connection: bool = False
    timeout: float = 120.0
    max_tokens: int = 8

    def is_stream(self, number: int) -> bool:
        """Tell whether request `number` streams: evenly spread, and exact over any whole period."""
        return int((number + 1) * self.streams) > int(number * self.streams)


class Sender:
    """Sends the requests of one target."""

    def __init__(self, target: Target, write: WRITE, stop: asyncio.Event) -> None:
        self.target, self.write, self.stop = target, write, stop
        # Of the 0 kept connections comes a new one for each request.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0 if target.new_connection else 64)
        self.http = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False, verify=TLS)
        self.numbers = itertools.count()

    async def run(self) -> None:
        """Send until there is enough, or the stop, and wait for the last answer."""
        async with self.http, asyncio.TaskGroup() as group:
            if self.target.workers:
                for _ in range(self.target.workers):
                    group.create_task(self.work())
            else:
                async for number in self.tick():
                    group.create_task(self.send(number))

    async def tick(self) -> AsyncIterator[int]:
        """Yield a number whenever the next request is due."""
        begin = time.monotonic()
        for number in self.remaining():
            yield number
            due = begin + (number + 1) / self.target.rate - time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), max(due, 0))

    async def work(self) -> None:
        """Send one after the other."""
        for number in self.remaining():
            await self.send(number)

    def remaining(self) -> Any:
        """Yield the numbers of requests still to be sent; workers share them."""
        for number in self.numbers:
            if self.stop.is_set() or (self.target.requests and number >= self.target.requests):
                return
            yield number

    async def send(self, number: int) -> None:
        """Send one request and record what came of it."""
        exchange = Exchange(self.target, number)
        try:
            async with asyncio.timeout(self.target.timeout):
                outcome = await exchange.run(self.http)
        except TimeoutError:
            outcome = Outcome.CUT if exchange.first else Outcome.TIMED_OUT
        except httpx.HTTPError as error:
            exchange.detail = f"{type(error).__name__}: {error}"
            outcome = exchange.broken()
        self.write(exchange.record(outcome))


class Exchange:
    """One request while it is under way."""

    def __init__(self, target: Target, number: int) -> None:
        self.target, self.number, self.stream = target, number, target.is_stream(number)
        self.start, self.first = time.time(), None  # type: float, float | None
        self.status, self.served_by, self.detail, self.has_ended = 0, "", "", False

    def body(self) -> dict[str, Any]:
        """Return a short question that no other request asks."""
        text = f"Request {self.number}: say a few words."
        messages = [{"role": "user", "content": text}]
        return {"model": self.target.model, "messages": messages, "max_tokens": self.target.max_tokens,
                "stream": self.stream}  # fmt: skip

    async def run(self, http: httpx.AsyncClient) -> Outcome:
        """Send it and read the answer."""
        headers = {"Authorization": f"Bearer {self.target.key}"}
        url = f"{self.target.url}/v1/chat/completions"
        async with http.stream("POST", url, json=self.body(), headers=headers) as answer:
            self.status, self.served_by = answer.status_code, answer.headers.get(SERVED_BY, "")
            if answer.status_code != 200:
                self.detail = (await answer.aread()).decode(errors="replace")[:300]
                return Outcome.FAILED
            return await (self.read_stream(answer) if self.stream else self.read_whole(answer))

    async def read_whole(self, answer: httpx.Response) -> Outcome:
        """Read an answer in one piece."""
        try:
            choices = json.loads(await answer.aread())["choices"]
        except (ValueError, KeyError, TypeError):
            self.detail = f"not a completion: {answer.content[:200]!r}"
            return Outcome.FAILED
        return Outcome.OK if choices else Outcome.FAILED

    async def read_stream(self, answer: httpx.Response) -> Outcome:
        """Read a stream to its end."""
        async for line in answer.aiter_lines():
            piece = read_piece(line)
            if piece.error:
                self.detail = piece.error
                return Outcome.CUT if self.first else Outcome.FAILED
            if (piece.text or piece.is_end) and self.first is None:
                self.first = time.time()
            self.has_ended = self.has_ended or piece.is_end
        return Outcome.OK if self.has_ended else self.broken()

    def broken(self) -> Outcome:
        """Return what a connection that ended too early is."""
        if self.first is not None:
            return Outcome.CUT
        return Outcome.FAILED if self.status else Outcome.REFUSED

    def record(self, outcome: Outcome) -> Record:
        """Return the record of a request that is over."""
        return Record(self.number, self.target.name, self.stream, self.start, self.first, time.time(), outcome,
                      self.status, self.served_by, self.detail)  # fmt: skip


async def run(targets: list[Target], write: WRITE, stop: asyncio.Event) -> None:
    """Send to all targets side by side."""
    async with asyncio.TaskGroup() as group:
        for target in targets:
            group.create_task(Sender(target, write, stop).run())


async def serve(targets: list[Target]) -> None:
    """Send until SIGTERM, with the records on stdout."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(targets, lambda record: print(to_line(record), flush=True), stop)


def main() -> int:
    """Read the settings from stdin and send."""
    asyncio.run(serve([Target(**fields) for fields in json.load(sys.stdin)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
