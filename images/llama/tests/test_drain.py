"""What a pod waits for before it stops: an explicit zero, and nothing less."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from images.llama import coderag_drain

BUSY = "llamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n"
IDLE = "# HELP x\nllamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n"


class Answers:
    """Metrics as the test scripts them: a text, a status, or a connection that is closed without an answer."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.keys: list[str] = []


@pytest.fixture
def metrics() -> Iterator[tuple[str, Answers]]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            answers.keys.append(self.headers["authorization"])
            answer = answers.script.pop(0) if answers.script else IDLE
            if answer is None:
                self.connection.close()
                return
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            self.wfile.write(answer.encode() if isinstance(answer, str) else b"")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/metrics", answers
        server.shutdown()


@pytest.mark.parametrize(("text", "held"), [(BUSY, 3), (IDLE, 0), ("other 1\n", None), ("", None)])
def test_held_requests_are_those_answered_and_those_waiting(text: str, held: float | None):
    assert coderag_drain.parse_held(text) == held


def test_the_end_is_two_explicit_zeros_in_a_row(metrics: tuple[str, Answers]):
    url, answers = metrics
    answers.script = [BUSY, IDLE, None, IDLE, 503, IDLE, BUSY, IDLE, IDLE, BUSY]
    coderag_drain.drain(url, "secret", pause=0)
    assert answers.script == [BUSY]
    assert set(answers.keys) == {"Bearer secret"}


def test_a_wrong_command_line_says_how_it_is_used(capsys: pytest.CaptureFixture[str]):
    assert coderag_drain.main([]) == 2
    assert "coderag-drain http://" in capsys.readouterr().err


def test_it_waits_for_the_endpoint_to_go_and_takes_the_key_from_the_environment(
    metrics: tuple[str, Answers], monkeypatch: pytest.MonkeyPatch
):
    url, answers = metrics
    waited: list[float] = []
    monkeypatch.setattr(coderag_drain.time, "sleep", waited.append)
    monkeypatch.setenv("LLAMA_API_KEY", "k")
    assert coderag_drain.main([url]) == 0
    assert waited[0] == coderag_drain.SETTLE_SECONDS
    assert answers.keys == ["Bearer k"] * 2
