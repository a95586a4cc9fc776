"""A llama-server whose faults are switches: the routes, metrics and flags that this project uses, nothing computed.

`PUT /admin/switches` with the server's API key takes any of

    health: 503             every route but the switches answers 503, as while a model loads
    status: 500, times: 1   chat completions answer this status, that many times (0: always)
    hang: true              generation stands still while /health says 200
    block_metrics: true     /metrics and /slots wait for the running decode, as builds before August 2026 do
    token_seconds: 1.0      slow, but never still
    cut_after: 3            a stream breaks after that many tokens

and answers with all of them. A model file may bring its own: `standin:{"status": 500}` in its first bytes.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from e2e.standins.llama_switches import Switches, load

BUILD = "b99999-standin"
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "then", "rests")
METRICS = ("requests_processing", "requests_deferred", "n_decode_total", "tokens_predicted_total",
           "prompt_tokens_total")  # fmt: skip


class CutError(Exception):
    """Breaks a connection in the middle of an answer, on purpose."""


class Llama:
    """One server: its flags, its switches, its counters."""

    def __init__(self, options: argparse.Namespace, switches: Switches) -> None:
        self.options, self.switches = options, switches
        self.slots = asyncio.Semaphore(options.parallel)
        self.counters: dict[str, float] = dict.fromkeys(METRICS, 0)
        self.ghosts = 0  # requests whose callers left while nothing moved: a server that stands still cannot notice
        self.changed, self.idle = asyncio.Condition(), asyncio.Event()
        self.idle.set()

    async def set(self, wanted: dict[str, Any]) -> None:
        """Set switches; whoever hangs looks again."""
        async with self.changed:
            self.switches = self.switches.changed(wanted)
            if not self.switches.hang:
                self.release(self.ghosts)
                self.ghosts = 0
            self.changed.notify_all()

    def take_status(self) -> int:
        """Return the status that this completion is to fail with, 0 for none, and count it off."""
        status, times = self.switches.status, self.switches.times
        if status and times:
            self.switches = replace(self.switches, times=times - 1, status=status if times > 1 else 0)
        return status

    async def tokens(self, count: int) -> AsyncIterator[str]:
        """Yield the words of one answer in a slot, with the counters moving as the real ones do."""
        await self.wait_for_slot()
        try:
            for number in range(count):
                await self.decode(number)
                yield WORDS[number % len(WORDS)] + " "
            self.counters["tokens_predicted_total"] += count  # the real one, too, counts when the slot is released
        finally:
            self.slots.release()
            self.ghosts += self.switches.hang
            self.release(0 if self.switches.hang else 1)

    async def wait_for_slot(self) -> None:
        """Take a slot; who waits for one is counted as deferred."""
        self.counters["requests_deferred"] += 1
        try:
            await self.slots.acquire()
        finally:
            self.counters["requests_deferred"] -= 1
        self.counters["requests_processing"] += 1
        self.idle.clear()

    def release(self, count: int) -> None:
        """Count requests out."""
        self.counters["requests_processing"] -= count
        if not self.counters["requests_processing"]:
            self.idle.set()

    async def decode(self, number: int) -> None:
        """Take one step: never while hanging."""
        async with self.changed:
            await self.changed.wait_for(lambda: not self.switches.hang)
        await asyncio.sleep(self.switches.token_seconds)
        self.counters["n_decode_total"] += 1
        if number == 0:
            self.counters["prompt_tokens_total"] += 8

    # -- routes

    async def health(self, _: Request) -> Response:
        """Say that all is well, or what the switch says."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the counters in Prometheus' format, on an old build only between two decodes."""
        if self.switches.block_metrics:
            await self.idle.wait()
        return PlainTextResponse("".join(f"llamacpp:{name} {value:g}\n" for name, value in self.counters.items()))

    async def list_slots(self, _: Request) -> Response:
        """Say which slots are busy."""
        if self.switches.block_metrics:
            await self.idle.wait()
        busy = int(self.counters["requests_processing"])
        return JSONResponse([{"id": slot, "n_ctx": self.context, "is_processing": slot < busy}
                             for slot in range(self.options.parallel)])  # fmt: skip

    @property
    def context(self) -> int:
        """Return the context of one slot."""
        return int(self.options.ctx_size) // int(self.options.parallel)

    async def props(self, _: Request) -> Response:
        """Say what runs here."""
        return JSONResponse({"default_generation_settings": {"n_ctx": self.context},
                             "total_slots": self.options.parallel, "model_alias": self.options.alias,
                             "model_path": self.options.model, "build_info": BUILD, "is_sleeping": False})  # fmt: skip

    async def models(self, _: Request) -> Response:
        """List the one model."""
        return JSONResponse({"object": "list", "data": [{"id": self.options.alias, "object": "model"}]})

    async def switch(self, request: Request) -> Response:
        """Show or set the switches."""
        if request.method == "PUT":
            try:
                await self.set(await request.json())
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(asdict(self.switches))

    async def complete(self, request: Request) -> Response:
        """Answer a completion, streamed or whole."""
        if status := self.take_status():
            return refuse(status, "asked for")
        body = await request.json()
        is_chat = request.url.path.endswith("/chat/completions")
        count = int(body.get("max_tokens") or body.get("n_predict") or len(WORDS))
        if body.get("stream"):
            return StreamingResponse(self.stream(is_chat, count), media_type="text/event-stream")
        text = "".join([word async for word in self.tokens(count)])
        usage = {"prompt_tokens": 8, "completion_tokens": count, "total_tokens": 8 + count}
        piece = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        choice = {"index": 0, "finish_reason": "length", **piece}
        return JSONResponse({**self.envelope(is_chat, ""), "choices": [choice], "usage": usage})

    async def stream(self, is_chat: bool, count: int) -> AsyncIterator[str]:
        """Yield the events of an answer."""
        sent = 0
        async for word in self.tokens(count):
            if self.switches.cut_after and sent >= self.switches.cut_after:
                raise CutError
            yield self.event(is_chat, {"delta": {"content": word}} if is_chat else {"text": word}, None)
            sent += 1
        yield self.event(is_chat, {"delta": {}} if is_chat else {"text": ""}, "length")
        yield "data: [DONE]\n\n"

    def event(self, is_chat: bool, piece: dict[str, Any], finish: str | None) -> str:
        """Return one event."""
        choice = {"index": 0, "finish_reason": finish, **piece}
        return f"data: {json.dumps({**self.envelope(is_chat, '.chunk'), 'choices': [choice]})}\n\n"

    def envelope(self, is_chat: bool, part: str) -> dict[str, Any]:
        """Return what every answer carries."""
        kind = f"chat.completion{part}" if is_chat else "text_completion"
        return {"id": "standin", "object": kind, "created": int(time.time()), "model": self.options.alias}


def refuse(status: int, message: str) -> Response:
    """Return an error as llama-server words it."""
    return JSONResponse({"error": {"code": status, "message": message, "type": "standin_error"}}, status)


class Guard:
    """Stands before the routes: 503 while the switch says so, 401 without the key."""

    OPEN = ("/health", "/v1/health", "/models", "/v1/models")

    def __init__(self, app: Any, llama: Llama, key: str) -> None:
        self.app, self.llama, self.key = app, llama, key

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let through, or answer instead."""
        answer = self.judge(Request(scope)) if scope["type"] == "http" else None
        try:
            await (answer or self.app)(scope, receive, send)
        except CutError:
            return  # the server closes a connection whose answer has no end

    def judge(self, request: Request) -> Response | None:
        """Return what stands before the route, if anything does."""
        path = request.url.path
        if path != "/admin/switches" and self.llama.switches.health != 200:
            return refuse(self.llama.switches.health, "Loading model")
        if path not in self.OPEN and self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return refuse(401, "Invalid API Key")
        return None


def make_app(llama: Llama, key: str) -> Guard:
    """Return the application."""
    completions = ("/v1/chat/completions", "/chat/completions", "/v1/completions", "/completion")
    routes = {"/health": llama.health, "/v1/health": llama.health, "/metrics": llama.metrics, "/props": llama.props,
              "/slots": llama.list_slots, "/v1/models": llama.models, "/models": llama.models}  # fmt: skip
    found = [Route(path, call) for path, call in routes.items()]
    found += [Route(path, llama.complete, methods=["POST"]) for path in completions]
    return Guard(Starlette(routes=[*found, Route("/admin/switches", llama.switch, methods=["GET", "PUT"])]), llama, key)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Take llama-server's flags as far as they matter here; the others are let pass."""
    parser = argparse.ArgumentParser(prog="llama-server", allow_abbrev=False)
    parser.add_argument("--model", "-m", required=True)
    parser.add_argument("--alias", default="model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--ctx-size", "-c", type=int, default=4096)
    parser.add_argument("--parallel", "-np", type=int, default=1)
    return parser.parse_known_args(argv)[0]


class Server(uvicorn.Server):
    """Ends like llama-server: what is being generated is cut."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Wait for nobody."""
        super().handle_exit(sig, frame)
        self.force_exit = True


def main(argv: Sequence[str]) -> int:
    """Load the model file and serve."""
    options = parse(argv)
    try:
        switches = load(Path(options.model))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    app = make_app(Llama(options, switches), os.environ.get("LLAMA_API_KEY", ""))
    Server(uvicorn.Config(app, host=options.host, port=options.port, log_level="warning", access_log=False)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
