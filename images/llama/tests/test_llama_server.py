"""The built server with the operator's command line and a tiny model: what it takes, who may ask, how it ends."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from e2e.standins.llama_server import ensure
from e2e.standins.tiny_gguf import write_model

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]  # the first run may have to compile the server
KEY = "k" * 32
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
START_SECONDS = 120.0
# fmt: off
FLAGS = [
    "--fit", "off", "--n-gpu-layers", "0", "--ctx-size", "4096", "--parallel", "2", "--kv-unified",
    "--batch-size", "512", "--ubatch-size", "512", "--flash-attn", "on", "--cache-ram", "512", "--threads", "2",
    "--timeout", "600", "--metrics", "--slots", "--no-webui", "--offline", "--jinja",
]
# fmt: on


@pytest.fixture(scope="session")
def program() -> Path:
    return ensure()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "chat.gguf"
    write_model(path, "chat")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(program: Path, model: Path, *more: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Run the server until the block ends; the client speaks to it once it is ready."""
    port = free_port()
    place = ["--model", str(model), "--alias", "chat", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LLAMA_API_KEY": KEY}
    command = [str(program), *place, *FLAGS, *more]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                wait_until_ready(client, process)
                yield client, process
        finally:
            process.kill()


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"llama-server ended with {process.returncode}"
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("llama-server did not become ready")


@pytest.fixture(scope="module")
def server(program: Path, model: Path) -> Iterator[httpx.Client]:
    with running(program, model, "--cache-type-k", "f16", "--cache-type-v", "f16") as (client, _):
        yield client


def ask(**more):
    return {"messages": [{"role": "user", "content": "Where is it?"}], "max_tokens": 8, **more}


def test_health_answers_without_a_key_and_says_nothing_else(server):
    assert server.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/props", "/metrics", "/slots", "/v1/models", "/models", "/lora-adapters"])
def test_what_tells_something_needs_the_key(server, path):
    assert server.get(path).status_code == 401
    assert server.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert server.get(path, headers=WITH_KEY).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/completion", "/infill", "/tokenize", "/v1/embeddings"])
def test_what_spends_compute_needs_the_key(server, path):
    assert server.post(path, json=ask()).status_code == 401


def test_it_reports_the_build_the_alias_and_the_geometry_that_it_was_given(server):
    props = server.get("/props", headers=WITH_KEY).json()
    assert props["build_info"].startswith("b11434")
    assert props["total_slots"] == 2
    assert [each["id"] for each in server.get("/v1/models", headers=WITH_KEY).json()["data"]] == ["chat"]
    slots = server.get("/slots", headers=WITH_KEY).json()
    assert [slot["n_ctx"] for slot in slots] == [4096, 4096]


def test_the_metrics_tell_what_is_in_flight(server):
    names = server.get("/metrics", headers=WITH_KEY).text
    assert "llamacpp:requests_processing 0" in names
    assert "llamacpp:requests_deferred 0" in names


def test_it_answers_a_chat_whole_and_streamed(server):
    whole = server.post("/v1/chat/completions", json=ask(), headers=WITH_KEY).json()
    assert whole["choices"][0]["message"]["role"] == "assistant"
    assert whole["usage"]["completion_tokens"] <= 8
    with server.stream("POST", "/v1/chat/completions", json=ask(stream=True), headers=WITH_KEY) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[0][6:])["object"] == "chat.completion.chunk"


def test_it_ends_on_sigterm_by_itself(program, model):
    with running(program, model) as (server, process):
        server.post("/v1/chat/completions", json=ask(), headers=WITH_KEY)  # ready is said a moment before signals are
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("flags", [["--cache-type-k", "q8_0", "--cache-type-v", "q8_0"], ["--load-mode", "mmap"]])
def test_it_starts_with_what_a_plan_may_ask_for(program, model, flags):
    with running(program, model, *flags) as (client, _):
        assert client.post("/v1/chat/completions", json=ask(), headers=WITH_KEY).status_code == 200


@pytest.mark.parametrize("flag", ["--no-mmap", "--mlock", "--frobnicate"])
def test_a_flag_that_the_build_does_not_know_ends_the_server(program, model, flag):
    done = subprocess.run([program, "--model", model, flag], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1


def test_a_file_that_is_no_model_ends_the_server(program, tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(100))
    command = [program, "--model", tmp_path / "no.gguf", "--port", str(free_port()), "--offline"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1
