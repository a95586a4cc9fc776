"""A scripted OpenAI-compatible server: answers what a test told it to, streamed or whole.

`PUT /admin/script` takes `{"answer": TEXT, "fault": FAULT}` with FAULT one of null, 500, 503, 429, hang, cut-before,
cut-after (as strings); `GET /admin/last-request` returns what was asked last. In the answer `{n}` stands for the number
of context blocks that the prompt offered and `{after}` for the next one, so that a script can cite or invent.
A script may also say `"tool_calls"` (a list of OpenAI's), which come after the text whether or not tools were offered,
and `"piece"`, how many characters a streamed piece has. `stream_options.include_usage` adds the usage to a stream.
"""

import json
import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from e2e.standins.http_server import Handler, parse, serve

BLOCK = re.compile(r"^\[(\d+)\]", re.M)
DEFAULT = "It is defined in [1]. An invented source says otherwise [{after}]."


class ScriptHandler(Handler):
    """Routes: /v1/chat/completions, /v1/models, /health, /admin/…"""

    script: dict[str, Any]

    def do_GET(self) -> None:  # noqa: N802
        """Answer the small routes."""
        if self.path == "/admin/last-request":
            if self.is_admin():
                self.answer_json(200, self.script.get("last"))
        elif self.path in {"/v1/models", "/models"}:
            self.answer_json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        elif self.path in {"/health", "/v1/health"}:
            self.answer_json(200, {"status": "ok"})
        else:
            self.answer_json(404, {"error": {"message": "no such route"}})

    def do_PUT(self) -> None:  # noqa: N802
        """Take a new script."""
        body = self.read_body()
        if self.path == "/admin/script" and self.is_admin():
            self.script.update({"fault": None, "tool_calls": None, "piece": None, **json.loads(body)})
            self.answer_json(200, {"script": "taken"})
        elif self.path != "/admin/script":
            self.answer_json(404, {"error": {"message": "no such route"}})

    def do_POST(self) -> None:  # noqa: N802
        """Answer a chat completion as scripted."""
        request = json.loads(self.read_body() or b"{}")
        if not self.path.endswith("/chat/completions"):
            return self.answer_json(404, {"error": {"message": "no such route"}})
        self.script["last"] = request
        fault = self.script.get("fault")
        if fault == "hang":
            threading.Event().wait(600)
        if fault in {"429", "500", "503"}:
            return self.answer_json(int(fault), {"error": {"message": "asked for", "type": "scripted", "code": fault}})
        text = fill(self.script.get("answer", DEFAULT), request)
        return self.stream(text, request, fault) if request.get("stream") else self.complete(text, request)

    def complete(self, text: str, request: dict[str, Any]) -> None:
        """Send the whole answer."""
        calls = self.script.get("tool_calls")
        message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
        choice = {"index": 0, "message": message, "finish_reason": self.reason()}
        body = {**envelope(request, "chat.completion"), "choices": [choice], "usage": count(text)}
        self.answer_json(200, body)

    def reason(self) -> str:
        """Return why the answer ends."""
        return "tool_calls" if self.script.get("tool_calls") else "stop"

    def stream(self, text: str, request: dict[str, Any], fault: str | None) -> None:
        """Send the answer in pieces that split markers on purpose."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if fault == "cut-before":
            return
        size = int(self.script.get("piece") or 3)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        for number, piece in enumerate(pieces):
            if fault == "cut-after" and number == 2:
                return
            self.event(request, {"content": piece}, None)
        for place, call in enumerate(self.script.get("tool_calls") or []):
            self.event(request, {"tool_calls": [{"index": place, **call}]}, None)
        self.event(request, {}, self.reason())
        if (request.get("stream_options") or {}).get("include_usage"):
            chunk = {**envelope(request, "chat.completion.chunk"), "choices": [], "usage": count(text)}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, request: dict[str, Any], delta: dict[str, Any], finish: str | None) -> None:
        """Send one chunk."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {**envelope(request, "chat.completion.chunk"), "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


def envelope(request: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return what every completion carries."""
    return {"id": "scripted-1", "object": kind, "created": int(time.time()), "model": request.get("model", "scripted")}


def count(text: str) -> dict[str, int]:
    """Return a usage: a word is a token."""
    words = len(text.split())
    return {"prompt_tokens": 1, "completion_tokens": words, "total_tokens": 1 + words}


def fill(answer: str, request: dict[str, Any]) -> str:
    """Put the number of offered context blocks into the scripted answer."""
    text = "\n".join(str(message.get("content", "")) for message in request.get("messages", []))
    last = max((int(number) for number in BLOCK.findall(text)), default=0)
    return answer.replace("{n}", str(last)).replace("{after}", str(last + 1))


def make_handler() -> type[ScriptHandler]:
    """Return a handler class with a script of its own."""
    return type("OwnScript", (ScriptHandler,), {"script": {}})


def main(argv: Sequence[str]) -> int:
    """Run the scripted server."""
    options = parse("openai", 8082, argv)
    return serve(make_handler(), options.host, options.port)
