"""The process: its settings, its server, its log lines."""

import io
import json
import logging
import sys

import pytest
import uvicorn
from coderag_embedding import __main__ as process
from coderag_embedding.logs import configure_logging
from coderag_embedding.settings import read_settings


@pytest.fixture(autouse=True)
def _keep_logging():
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = root.level, list(root.handlers), access.disabled
    yield
    root.level, access.disabled = before[0], before[2]
    root.handlers[:] = before[1]


def test_it_serves_with_what_the_environment_says(monkeypatch):
    served = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server: served.append(server.config))
    for name, value in {"EMBEDDING_API_KEY": "key", "LISTEN_PORT": "8123", "EMBEDDING_DRAIN_SECONDS": "7"}.items():
        monkeypatch.setenv(name, value)
    process.main()
    assert (served[0].port, served[0].timeout_graceful_shutdown, served[0].access_log) == (8123, 7, False)


def test_a_wrong_environment_ends_it_with_the_reasons(monkeypatch):
    monkeypatch.delenv("EMBEDDING_API_KEY", raising=False)
    with pytest.raises(SystemExit, match="cannot start:\nEMBEDDING_API_KEY is not set"):
        process.main()


def test_every_log_line_is_an_object_with_its_fields(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    configure_logging("INFO")
    logging.getLogger("coderag_embedding.x").info("done", extra={"seconds": 1.5})
    logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[1mup"})
    logging.getLogger("coderag_embedding.x").debug("not shown")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["time"].endswith("+00:00")
    assert (first["level"], first["logger"], first["message"], first["seconds"]) == (
        "INFO", "coderag_embedding.x", "done", 1.5,
    )  # fmt: skip
    assert "color_message" not in second


def test_a_traceback_is_one_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    configure_logging("INFO")
    try:
        raise ValueError("inside")
    except ValueError as error:
        logging.getLogger("x").error("failed", exc_info=error)
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: inside" in json.loads(line)["exc_info"]


def test_the_server_is_built_from_the_settings():
    server = process.build_server(read_settings({"EMBEDDING_API_KEY": "key", "LISTEN_HOST": "127.0.0.1"}))
    assert (server.config.host, server.config.port) == ("127.0.0.1", 8003)
