"""`coderag plan` from the outside: exit codes, the table, the JSON, and what a wrong input is answered with."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from coderag_operator.commands import coderag, plan
from coderag_operator.vram.planner import plan_memory
from tests.support.tiny_gguf import model_bytes, write_model
from tests.support.vram_plans import make_plan

Out = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "tiny.gguf"))


def run(*arguments: str) -> int:
    """Run the command, as a shell sees it."""
    try:
        return plan.main(arguments)
    except SystemExit as error:
        return int(error.code or 0)


class Ranges(SimpleHTTPRequestHandler):
    """Serves one model by ranges, to who knows the token where there is one."""

    token = ""

    def do_GET(self) -> None:
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            self.send_error(401)
            return
        data = model_bytes()
        first, last = (int(number) for number in self.headers["Range"].removeprefix("bytes=").split("-"))
        body = data[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[type[Ranges]]:
    class Hub(Ranges):
        address = ""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub))
    Hub.address = f"http://127.0.0.1:{server.server_port}/tiny.gguf"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield Hub
    server.shutdown()
    server.server_close()


def test_two_models_that_fit_exit_with_0_and_print_a_table(model: str, capsys: Out) -> None:
    assert run("--chat", model, "--code", model, "--budget-mib", "1000") == 0
    text = capsys.readouterr().out
    assert text.startswith("Fits: ")
    assert re.search(r"layers on the GPU +5 of 5 +5 of 5\n", text)


def test_what_does_not_fit_exits_with_3_and_says_what_would(model: str, capsys: Out) -> None:
    assert run("--chat", model, "--budget-mib", "300") == 3
    text = capsys.readouterr().out
    assert text.startswith("Does not fit: ")
    assert "raise budgetMiB to " in text


@pytest.mark.parametrize("role", ["chat", "code"])
def test_one_model_alone_is_enough(role: str, model: str, capsys: Out) -> None:
    assert run(f"--{role}", model, "--budget-mib", "1000", "--json") == 0
    assert list(json.loads(capsys.readouterr().out)["models"]) == [role]


def test_the_json_is_that_of_the_status(model: str, capsys: Out) -> None:
    assert run("--chat", model, "--budget-mib", "300", "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["fits"], found["budgetMiB"]) == (False, 300)
    assert found["refusal"]["deficitMiB"] > 0


def test_every_option_reaches_the_plan(model: str, capsys: Out) -> None:
    options = {
        "--context": "3000", "--min-context": "3000", "--parallel": "3", "--chat-layers": "2", "--code-layers": "All",
        "--kv-type": "q8_0", "--ubatch": "128", "--build": "b7000", "--overhead-mib": "100", "--per-server-mib": "900",
    }  # fmt: skip
    words = [word for pair in options.items() for word in pair]
    assert run("--chat", model, "--code", model, "--budget-mib", "1000", "--json", *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["buildRule"], found["perServerMiB"]) == ("output-last, rows per batch", 900)
    for role, gpu_layers in (("chat", 2), ("code", 5)):
        one = found["models"][role]
        chosen = [one[name] for name in ("gpuLayers", "contextTokens", "slots", "kvType", "ubatch")]
        assert chosen == [gpu_layers, 3000, 3, "q8_0", 128]
        assert 100 <= one["overheadMiB"] < 110


def test_left_out_the_options_are_what_a_stack_has(model: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    from coderag_operator.api.servers import LEAST_CONTEXT, LlamaCpp

    asked: dict[str, Any] = {}

    def watched(wishes: Any, *arguments: Any) -> Any:
        asked.update(wishes)
        return plan_memory(wishes, *arguments)

    monkeypatch.setattr(plan, "plan_memory", watched)
    assert run("--chat", model, "--budget-mib", "1000") == 0
    defaults = LlamaCpp.model_fields
    wish = asked["chat"]
    assert wish.min_context_tokens == LEAST_CONTEXT
    assert (wish.context_tokens, wish.parallel, wish.gpu_layers, wish.kv_type, wish.ubatch) == tuple(
        defaults[name].default
        for name in ("context_tokens", "parallel", "gpu_layers", "kv_cache_type", "ubatch_tokens")
    )


def test_a_short_context_needs_no_word_on_the_least(model: str) -> None:
    assert run("--chat", model, "--budget-mib", "1000", "--context", "1024") == 0


def test_a_model_is_read_from_an_address(hub: Any, capsys: Out) -> None:
    assert run("--chat", hub.address, "--budget-mib", "1000") == 0


def test_the_token_of_a_file_is_sent_and_never_printed(hub: Any, tmp_path: Path, capsys: Out) -> None:
    hub.token = "s3cret-token"
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    assert run("--chat", hub.address, "--budget-mib", "1000", "--token-file", str(token)) == 0
    token.write_text("other-token\n")
    assert run("--chat", hub.address, "--budget-mib", "1000", "--token-file", str(token)) == 2
    printed = capsys.readouterr()
    assert "argument --chat: " in printed.err
    assert "--token-file" in printed.err
    assert "-token\n" not in printed.err + printed.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--budget-mib"]),
        (["--budget-mib", "1000"], ["--chat, --code", "give one of them"]),
        (["--budget-mib", "0"], ["--budget-mib", "'0' is not a whole number from 1"]),
        (["--budget-mib", "5G"], ["--budget-mib", "'5G'"]),
        (["--budget-mib", "9", "--context", "1"], ["--context", "from 1024 to 1048576"]),
        (["--budget-mib", "9", "--chat-layers", "many"], ["--chat-layers", "Auto nor All"]),
        (["--budget-mib", "9", "--code-layers", "1000"], ["--code-layers"]),
        (["--budget-mib", "9", "--build", "latest"], ["--build", "b9476"]),
        (["--budget-mib", "9", "--kv-type", "q4_0"], ["--kv-type", "q8_0"]),
        (["--budget-mib", "9", "--chat", "MODEL", "--min-context", "5000"], ["--min-context", "4096", "lower it"]),
        (["--budget-mib", "9", "--chat", "nowhere.gguf"], ["--chat", "nowhere.gguf", "give the path of a GGUF file"]),
        (["--budget-mib", "9", "--code", "."], ["--code", "check that it can be read"]),
        (["--budget-mib", "9", "--code", "ftp://hub/m.gguf"], ["--code", "neither http nor https", "http(s) address"]),
        (["--budget-mib", "9", "--code", "http://127.0.0.1:9/m.gguf"], ["--code", "check the address and the network"]),
        (["--budget-mib", "9", "--chat", "MODEL", "--token-file", "nowhere"], ["--token-file", "readable file"]),
        (["--budget-mib", "9", "--chat", "MODEL", "--token-file", "EMPTY"], ["--token-file", "write the token alone"]),
        (["--budget-mib", "1000", "--chat", "MODEL", "--svg", "no/such/folder.svg"], ["--svg", "cannot be written"]),
    ],
)
def test_a_bad_input_exits_with_2_and_names_the_flag_and_the_remedy(
    arguments: list[str], words: list[str], model: str, tmp_path: Path, capsys: Out
) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    given = [{"MODEL": model, "EMPTY": str(empty)}.get(word, word) for word in arguments]
    assert run(*given) == 2
    printed = capsys.readouterr()
    assert all(word in printed.err for word in words)
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        (b"PK\x03\x04 something else", "does not start with GGUF", "convert_hf_to_gguf.py"),
        (model_bytes()[:200], "model.gguf: ", "get the whole file anew"),
        (model_bytes()[:-500], "model.gguf: ", "get the whole file anew"),
        (model_bytes(architecture="mamba"), "recurrent state", "set its layers by hand"),
    ],
)
def test_a_file_that_cannot_be_planned_is_refused_with_the_reason(
    content: bytes, problem: str, remedy: str, tmp_path: Path, capsys: Out
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert run("--chat", str(path), "--budget-mib", "1000") == 2
    error = capsys.readouterr().err
    assert error.startswith("coderag plan: error: argument --chat: ")
    assert problem in error
    assert remedy in error


def test_the_drawing_is_the_same_for_the_same_plan(model: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    for path in (one, two):
        assert run("--chat", model, "--code", model, "--budget-mib", "1000", "--svg", str(path)) == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text().startswith("<svg ")


class Terminal(io.StringIO):
    """A terminal that remembers what was written."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_only_a_terminal_without_no_color_gets_colour(
    stream: io.StringIO, environ: dict[str, str], coloured: bool
) -> None:
    plan.print_plan(make_plan(), stream, as_json=False, environ=environ)
    assert ("\033" in stream.getvalue()) == coloured


def test_json_is_never_coloured() -> None:
    stream = Terminal()
    plan.print_plan(make_plan(), stream, as_json=True, environ={})
    assert json.loads(stream.getvalue())["fits"]


def test_the_program_coderag_has_the_command_plan(model: str, capsys: Out) -> None:
    assert coderag.main(["plan", "--chat", model, "--budget-mib", "1000"]) == 0
    assert coderag.main(["plan", "--chat", "nowhere", "--budget-mib", "1000"]) == 2
    assert capsys.readouterr().err.startswith("coderag plan: error: ")
    with pytest.raises(SystemExit) as stopped:
        coderag.main([])
    assert stopped.value.code == 2


def test_nothing_of_kubernetes_is_loaded_for_it() -> None:
    script = "import sys, coderag_operator.commands.coderag; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"kopf", "kubernetes", "pydantic", "aiohttp"} & set(done.stdout.split())


@pytest.mark.parametrize("module", ["coderag_operator.commands.plan", "coderag_operator.commands.coderag"])
def test_it_runs_as_a_module(module: str) -> None:
    words = ["plan"] if module.endswith("coderag") else []
    done = subprocess.run([sys.executable, "-m", module, *words, "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: coderag plan ")
    assert "exit code: 0 fits, 3 does not fit, 2 bad input" in " ".join(done.stdout.lower().split())
