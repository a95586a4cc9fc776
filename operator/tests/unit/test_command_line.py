"""The command line and the environment: what is wrong is named, what is right is used."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from coderag_operator import __version__
from coderag_operator.__main__ import main
from coderag_operator.settings import InvalidSettings, Settings


def test_an_empty_environment_is_enough() -> None:
    settings = Settings.read({"CODERAG_WATCH_NAMESPACES": ""})
    assert (settings.watch_namespaces, settings.workers, settings.resync_seconds) == ((), 4, 600)


def test_everything_can_be_set() -> None:
    environ = {
        "POD_NAME": "pod", "CODERAG_WATCH_NAMESPACES": "b, a,", "CODERAG_WORKERS": "8", "CODERAG_IMAGE_RAG": "r:1",
        "CODERAG_IMAGE_LLAMA": "", "CODERAG_LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    settings = Settings.read(environ)
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.pod_name, settings.workers, settings.images) == ("pod", 8, {"rag": "r:1"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CODERAG_WORKERS", "0"),
        ("CODERAG_WORKERS", "many"),
        ("CODERAG_RESYNC_SECONDS", "1"),
        ("CODERAG_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_variable_is_named_with_what_it_may_hold(variable: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{variable}: .*\\(.*default"):
        Settings.read({variable: value})


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_the_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("CODERAG_WORKERS", "POD_NAME", "CODERAG_IMAGE_<NAME>", "ping", "version"))


def test_run_refuses_a_bad_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CODERAG_WORKERS", "none")
    assert main(["run"]) == 2
    assert "CODERAG_WORKERS" in capsys.readouterr().err


def test_run_without_a_cluster_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setattr("coderag_operator.engine.logs.configure", lambda level: None)
    assert main(["run"]) == 2
    assert "set KUBECONFIG" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_ping_tells_by_its_exit_code(status: int, code: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert main(["ping", f"http://127.0.0.1:{server.server_port}/readyz"]) == code
        thread.join()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "no url"])
def test_ping_of_nobody_fails(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", url]) == 1
    assert "does not answer" in capsys.readouterr().err
