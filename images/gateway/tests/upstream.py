"""A tiny OpenAI server with switches, in this process: what the gateway has behind it in the tests."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class QuietServer(ThreadingHTTPServer):
    """One server; a client that hangs up is no error."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@dataclass
class Upstream:
    """A model server that can be told to fail."""

    name: str
    port: int = 0
    failures: list[tuple[int, Json]] = field(default_factory=list)
    always: tuple[int, Json] | None = None
    cut_stream: bool = False
    requests: list[Json] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    hang: bool = False
    server: QuietServer | None = None

    def start(self) -> None:
        """Listen, on the same port as before."""
        self.server = QuietServer(("127.0.0.1", self.port), build_handler(self))
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def next_failure(self) -> tuple[int, Json] | None:
        """Return the failure for the request at hand."""
        return self.failures.pop(0) if self.failures else self.always


def error(message: str, code: str = "x", kind: str = "x") -> Json:
    """Return an error as OpenAI words it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def build_handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:  # noqa: C901 (one small class, counted as one)
    """Return the handler of one server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # one request a connection: a stopped server is really gone

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            upstream.requests.append({"path": self.path, **body})
            upstream.keys.append(self.headers.get("authorization", ""))
            if upstream.hang:
                upstream.release.wait(30)
            failure = upstream.next_failure()
            if failure:
                self.answer(*failure)
            elif self.path.endswith("/embeddings"):
                self.answer(200, embed(body))
            elif body.get("stream"):
                self.stream()
            else:
                self.answer(200, complete(upstream.name, self.path))

        def answer(self, status: int, document: Json) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if status == 429:
                self.send_header("retry-after", "7")
            self.end_headers()
            self.wfile.write(data)

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for word in ("I", " am ", upstream.name):
                self.wfile.write(b"data: " + json.dumps(chunk(word)).encode() + b"\n\n")
                self.wfile.flush()
                if upstream.cut_stream:
                    return
            upstream.release.wait(30)  # the words must arrive before the stream ends
            self.wfile.write(b"data: [DONE]\n\n")

    return Handler


def complete(name: str, path: str) -> Json:
    """Return an answer that says who gave it."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    base = {"id": "1", "created": 1, "model": name, "usage": usage}
    if path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": f"I am {name}"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return base | {"object": "chat.completion", "choices": [choice]}
    choice = {"index": 0, "finish_reason": "stop", "text": f"I am {name}", "logprobs": None}
    return base | {"object": "text_completion", "choices": [choice]}


def chunk(word: str) -> Json:
    """Return one piece of a streamed answer."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def embed(body: Json) -> Json:
    """Return one small vector for each input."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": n, "embedding": [float(len(t)), 0.5]} for n, t in enumerate(texts)]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
