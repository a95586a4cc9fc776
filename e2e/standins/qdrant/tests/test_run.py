"""Which server a test is given: the stand-in, or the program that QDRANT_PROGRAM names."""

import sys
from pathlib import Path

import httpx
import pytest

from e2e.standins.qdrant.run import PROGRAM, command, launch

ECHO = f"""#!{sys.executable}
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
port = int(os.environ["QDRANT__SERVICE__HTTP_PORT"])
http.server.HTTPServer((os.environ["QDRANT__SERVICE__HOST"], port), Handler).serve_forever()
"""


def test_without_a_program_it_is_the_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(PROGRAM, raising=False)
    words, settings = command(tmp_path, "127.0.0.1", 7)
    assert words[1:] == ["-m", "e2e.standins.qdrant", "--host", "127.0.0.1", "--port", "7", "--data", str(tmp_path)]
    assert settings == {}


def test_a_program_is_started_in_its_place_with_its_own_folder_ports_and_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "qdrant").write_text(ECHO)
    (tmp_path / "qdrant").chmod(0o755)
    monkeypatch.setenv(PROGRAM, str(tmp_path / "qdrant"))
    monkeypatch.setenv("QDRANT__SERVICE__READ_ONLY_API_KEY", "of another server")
    running = launch(tmp_path / "data", "full")
    try:
        seen = httpx.get(f"{running.url}/seen", timeout=60).json()
    finally:
        running.kill()
    assert seen["QDRANT__STORAGE__STORAGE_PATH"] == str(tmp_path / "data")
    assert seen["QDRANT__SERVICE__API_KEY"] == "full"
    assert "QDRANT__SERVICE__READ_ONLY_API_KEY" not in seen
    assert running.url.endswith(f":{seen['QDRANT__SERVICE__HTTP_PORT']}")
    assert seen["QDRANT__SERVICE__GRPC_PORT"] != seen["QDRANT__SERVICE__HTTP_PORT"]
