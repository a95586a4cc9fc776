"""A tiny OpenAI server with switches, in this process: what the gateway has behind it in the tests."""

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and after which part of the answer: the request, the headers, the role or a token."""

    after: str
    then: str  # close, reset, end (a well-formed end of the body in the middle), hang or error


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
    fault: Fault | None = None
    requests: list[Json] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pieces: list[Json] | None = None  # what a stream says instead of the usual words
    release: threading.Event = field(default_factory=threading.Event)  # clear it to hold answers back
    left: threading.Event = field(default_factory=threading.Event)  # set when the reader of a stream has gone
    server: QuietServer | None = None

    def __post_init__(self) -> None:
        """Hold nothing back at first."""
        self.release.set()

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

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Wait until so many requests have come in all."""
        deadline = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{self.name} saw {len(self.requests)} requests, not {count}"
            time.sleep(0.02)


def error(message: str, code: str = "x", kind: str = "x") -> Json:
    """Return an error as OpenAI words it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def build_handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:  # noqa: C901 (one small class, counted as one)
    """Return the handler of one server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

        def do_POST(self) -> None:
            self.close_connection = True  # one request a connection: a stopped server is really gone
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            upstream.requests.append({"path": self.path, **body})
            upstream.keys.append(self.headers.get("authorization", ""))
            failure = upstream.next_failure()
            if self.fails("request"):
                return
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
            self.send_header("connection", "close")
            if status == 429:
                self.send_header("retry-after", "7")
            self.end_headers()
            self.wfile.write(data)

        def stream(self) -> None:
            """Stream an answer in chunks, as llama.cpp's server does."""
            self.send_response(200)
            for name, value in (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")):
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            if self.fails("headers"):
                return
            if upstream.pieces is not None:
                self.say(upstream.pieces)
                return
            text = not self.path.endswith("/chat/completions")
            self.send(chunk(None, text))
            if self.fails("role"):
                return
            for word in ("I", " am ", upstream.name):
                self.send(chunk(word, text))
                if self.fails("token"):
                    return
            upstream.release.wait(30)  # the words must arrive before the stream ends
            self.send(chunk(None, text, "stop"))
            self.write(b"data: [DONE]\n\n")
            self.write(b"")

        def say(self, pieces: list[Json]) -> None:
            """Stream what a test scripted; while answers are held back, repeat the last piece until nobody reads."""
            try:
                for piece in pieces:
                    self.send(piece)
                while not upstream.release.wait(0.05):
                    self.send(pieces[-1])
                self.write(b"data: [DONE]\n\n")
                self.write(b"")
            except OSError:
                upstream.left.set()

        def send(self, document: Json) -> None:
            self.write(b"data: " + json.dumps(document).encode() + b"\n\n")

        def write(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def fails(self, after: str) -> bool:
            """Go wrong if it is time to."""
            fault = upstream.fault
            if fault is None or fault.after != after:
                return False
            if after == "token" and fault.then != "hang":
                upstream.release.wait(30)  # the token must arrive before it goes wrong
            if fault.then == "hang":
                upstream.release.wait(60)
            elif fault.then == "error":
                self.send({"error": {"code": 500, "message": "boom", "type": "server_error"}})
                self.write(b"")
            elif fault.then == "end":
                self.write(b"")
            elif fault.then == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            return True

        def finish(self) -> None:
            with contextlib.suppress(OSError):  # the connection may be closed already, on purpose
                super().finish()

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


def chunk(word: str | None, text: bool, reason: str | None = None) -> Json:
    """Return one piece of a streamed answer; without a word, the role or the end."""
    base: Json = {"id": "1", "created": 1, "model": "m"}
    if text:
        choice = {"index": 0, "text": word or "", "finish_reason": reason, "logprobs": None}
        return base | {"object": "text_completion", "choices": [choice]}
    delta = {"content": word} if word else {} if reason else {"role": "assistant", "content": None}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return base | {"object": "chat.completion.chunk", "choices": [choice]}


def embed(body: Json) -> Json:
    """Return one small vector for each input."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": n, "embedding": [float(len(t)), 0.5]} for n, t in enumerate(texts)]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
