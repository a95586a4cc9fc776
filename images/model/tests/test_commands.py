"""The command line: one result on standard output and in the termination log, a code that says whether to try again."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from coderag_model import __main__ as command
from coderag_model import logs, progress, report
from coderag_model.geometry import Geometry
from coderag_model.header import read_header
from coderag_model.measure import read_geometry
from coderag_model.opening import Model
from coderag_model.source import safe_url
from dense_gguf import Dense, file_of, stream_of
from faulty_site import hang, status, whole_file
from fetcher import Fetcher
from geometries import geometry

MODEL = file_of()


def run(capsys, *words: str):
    """Run a command; give its code, its result and its log."""
    code = command.main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def fetch_words(fetcher, *more, path="/m.gguf"):
    address = ["--url", fetcher.site.url + path, "--sha256", fetcher.sha256.upper()]
    return ["fetch", *address, "--directory", str(fetcher.folder), *more]


def test_a_fetch_reports_the_file_as_the_operator_reads_it(capsys, fetcher, tmp_path):
    log = tmp_path / "termination"
    code, out, err = run(capsys, *fetch_words(fetcher, "--termination-log", str(log)))
    found = json.loads(log.read_text())
    assert code == 0
    assert found == json.loads(out)
    assert found["ok"] is True
    assert (found["file"], found["sizeBytes"], found["sha256"]) == (
        str(fetcher.target),
        len(fetcher.site.content),
        fetcher.sha256,
    )
    assert found["header"]["layers"] == 2
    assert all(json.loads(line)["time"] for line in err.splitlines())


@pytest.mark.parametrize(("answer", "code", "reason"), [(404, 1, "NotFound"), (401, 1, "Unauthorized")])
def test_a_final_failure_exits_1(capsys, fetcher, tmp_path, answer, code, reason):
    fetcher.site.steps = [status(answer)]
    log = tmp_path / "termination"
    found, _, _ = run(capsys, *fetch_words(fetcher, "--termination-log", str(log)))
    document = json.loads(log.read_text())
    assert (found, document["reason"], document["transient"]) == (code, reason, False)
    assert set(document) == {"ok", "reason", "message", "transient"}


def test_a_transient_failure_exits_75(capsys, fetcher):
    fetcher.site.steps = [status(503, Retry_After="0")] * 9
    code, out, _ = run(capsys, *fetch_words(fetcher, "--deadline", "0.5"))
    assert code == 75
    assert json.loads(out)["transient"] is True


def test_no_secret_of_an_address_or_token_is_written(capsys, fetcher, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", "t0ken-s3cret")
    fetcher.site.steps = [status(404)]
    fetcher.site.url = fetcher.site.url.replace("//", "//user:p4ssword@")
    code, out, err = run(capsys, *fetch_words(fetcher, path="/m.gguf?signature=s1gned#fr4gment"))
    assert code == 1
    for secret in ("t0ken", "p4ssword", "user", "s1gned", "fr4gment"):
        assert secret not in out + err
    assert fetcher.site.requests[0]["path"].endswith("signature=s1gned")


def test_the_token_comes_from_a_file_or_the_environment(fetcher, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_TOKEN", "from-environment")
    (tmp_path / "token").write_text("from-file\n")
    run(capsys, *fetch_words(fetcher, "--token-file", str(tmp_path / "token")))
    fetcher.target.unlink()
    run(capsys, *fetch_words(fetcher))
    assert [each["Authorization"] for each in fetcher.site.requests] == ["Bearer from-file", "Bearer from-environment"]


@pytest.mark.parametrize("content", [None, "two words", "line\nbreak"])
def test_a_token_that_cannot_be_sent_is_refused(fetcher, capsys, tmp_path, content):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    code, out, _ = run(capsys, *fetch_words(fetcher, "--token-file", str(path)))
    assert (code, json.loads(out)["reason"]) == (1, "Unauthorized")
    assert fetcher.site.requests == []


@pytest.mark.parametrize(
    "words",
    [
        ["fetch", "--url", "ftp://h/p4ssword", "--sha256", "0" * 64, "--directory", "."],
        ["fetch", "--url", "http://h/", "--sha256", "0" * 63, "--directory", "."],
        ["frobnicate"],
    ],
)
def test_a_wrong_command_line_is_explained(capsys, words):
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
    assert "p4ssword" not in capsys.readouterr().err


@pytest.mark.parametrize("option", [[], ["--path"]])
def test_inspect_describes_a_file_on_a_claim(capsys, fetcher, tmp_path, option):
    path = tmp_path / "own.gguf"
    path.write_bytes(fetcher.site.content)
    code, out, _ = run(capsys, "inspect", *option, str(path))
    found = json.loads(out)
    assert (code, found["ok"], found["sha256"], found["sizeBytes"]) == (0, True, None, len(fetcher.site.content))


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "NotFound"), (b"no model", "NotGguf"), ("short", "Truncated"), (b"GG", "Truncated")]
)
def test_inspect_tells_what_is_wrong_with_a_file(capsys, fetcher, tmp_path, content, reason):
    path = tmp_path / "own.gguf"
    if content:
        path.write_bytes(fetcher.site.content[:900] if content == "short" else content)
    code, out, _ = run(capsys, "inspect", str(path))
    assert (code, json.loads(out)["reason"]) == (1, reason)


def test_inspect_wants_a_file(capsys):
    assert run(capsys, "inspect")[0] == 1


def geometry_of(capsys, *words):
    code, out, err = run(capsys, "geometry", *words)
    return code, json.loads(out), err


def test_geometry_is_told_before_anything_is_downloaded(capsys, fetcher, tmp_path):
    fetcher.site.content = file_of()
    log = tmp_path / "termination"
    words = ["--url", fetcher.site.url + "/m.gguf", "--termination-log", str(log)]
    code, found, _ = geometry_of(capsys, *words)
    assert (code, found["ok"], found["sizeBytes"]) == (0, True, len(file_of()))
    assert found == json.loads(log.read_text())
    assert Geometry.from_json(found["geometry"]) == read_geometry(stream_of())
    assert found["header"]["layers"] == 3
    assert fetcher.site.requests[0]["Range"].startswith("bytes=0-")


def test_geometry_of_a_file_on_a_claim(capsys, tmp_path):
    (tmp_path / "m.gguf").write_bytes(file_of())
    assert geometry_of(capsys, "--path", str(tmp_path / "m.gguf"))[1]["geometry"]["layers"] == 3


def test_a_model_that_is_not_modelled_is_no_failure(capsys, fetcher):
    fetcher.site.content = file_of(Dense(architecture="mamba"))
    code, found, _ = geometry_of(capsys, "--url", fetcher.site.url + "/m.gguf")
    assert (code, found["ok"], "geometry" in found) == (0, True, False)
    assert "recurrent" in found["geometryProblem"]
    assert found["header"]["architecture"] == "mamba"


@pytest.mark.parametrize(
    ("step", "code", "reason"),
    [
        (status(404), 1, "NotFound"),
        (status(206, b"<html>....", Content_Range="bytes 0-9/10"), 1, "NotGguf"),
        (status(206, MODEL[:300], Content_Range="bytes 0-299/300"), 1, "Truncated"),
    ],
)
def test_geometry_fails_as_a_fetch_does(capsys, fetcher, step, code, reason):
    fetcher.site.steps = [step]
    found = geometry_of(capsys, "--url", fetcher.site.url + "/m.gguf?signature=s1gned")
    assert (found[0], found[1]["ok"], found[1]["reason"]) == (code, False, reason)
    assert "s1gned" not in json.dumps(found)


def test_a_server_without_ranges_does_not_stop_the_fetch(capsys, fetcher):
    fetcher.site.steps = [whole_file]
    code, found, _ = geometry_of(capsys, "--url", fetcher.site.url + "/m.gguf?signature=s1gned")
    assert (code, found["ok"], set(found)) == (0, True, {"ok", "geometryProblem"})
    assert "ranges" in found["geometryProblem"]
    assert "s1gned" not in found["geometryProblem"]


def test_advice_does_not_stop_what_follows(capsys, fetcher):
    fetcher.site.steps = [status(404)]
    code, found, _ = geometry_of(capsys, "--url", fetcher.site.url + "/m.gguf", "--advisory")
    assert (code, found["ok"], found["reason"]) == (0, False, "NotFound")


def test_geometry_uses_the_token(capsys, fetcher, tmp_path):
    (tmp_path / "token").write_text("t0ken")
    words = ["--url", fetcher.site.url + "/m.gguf", "--token-file", str(tmp_path / "token")]
    geometry_of(capsys, *words)
    assert fetcher.site.requests[0]["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("words", [[], ["--url", "http://h/", "--path", "m"], ["--url", "ftp://h/"]])
def test_geometry_wants_one_address_or_file(capsys, words):
    with pytest.raises(SystemExit):
        run(capsys, "geometry", *words)


def test_a_fetch_and_an_inspection_report_the_geometry(capsys, fetcher):
    fetcher = Fetcher(serve(fetcher.site, file_of()), fetcher.folder, fetcher.waits)
    code, out, _ = run(capsys, *fetch_words(fetcher))
    _, seen, _ = run(capsys, "inspect", str(fetcher.target))
    assert code == 0
    assert json.loads(out)["geometry"] == json.loads(seen)["geometry"] == read_geometry(stream_of()).to_json()


def test_a_fetch_of_a_model_that_is_not_modelled_succeeds_and_says_so(capsys, fetcher):
    fetcher = Fetcher(serve(fetcher.site, file_of(Dense(architecture="jamba"))), fetcher.folder, fetcher.waits)
    code, out, _ = run(capsys, *fetch_words(fetcher))
    assert (code, "recurrent" in json.loads(out)["geometryProblem"]) == (0, True)


def test_a_fetch_of_a_file_that_is_too_short_for_its_tensors_fails(capsys, fetcher):
    fetcher = Fetcher(serve(fetcher.site, file_of()[:-1]), fetcher.folder, fetcher.waits)
    code, out, _ = run(capsys, *fetch_words(fetcher))
    assert (code, json.loads(out)["reason"]) == (1, "Truncated")
    assert not fetcher.target.exists()


def serve(site, content):
    site.content = content
    return site


def test_126_layers_fit_the_termination_message_and_a_geometry_that_does_not_is_left_out(tmp_path):
    blocks = tuple(1_700_000_000 + number for number in range(126))
    many = geometry(layers=126, block_bytes=blocks, largest_matrix_bytes=blocks, head_count_kv=tuple(range(126)))
    header = read_header(stream_of()).summary
    whole = report.describe_geometry(Model(header, 10**12, many))
    report.write_report(whole, tmp_path / "log")
    assert json.loads((tmp_path / "log").read_bytes())["geometry"] == many.to_json()
    worse = geometry(
        layers=200, block_bytes=(*blocks, *blocks[:74]), largest_matrix_bytes=tuple(range(10**12, 10**12 + 200))
    )
    report.write_report(report.describe_geometry(Model(header, 10**12, worse)), tmp_path / "log")
    found = json.loads((tmp_path / "log").read_bytes())
    assert "differ too much" in found["geometryProblem"]
    assert found["header"] == whole["header"]


def test_digest_hashes_files_and_addresses_alike(capsys, fetcher, tmp_path):
    path = tmp_path / "own.gguf"
    path.write_bytes(fetcher.site.content)
    for what in (str(path), fetcher.site.url + "/m.gguf?signature=s"):
        code, out, _ = run(capsys, "digest", what)
        assert (code, out.split()[0]) == (0, fetcher.sha256)
        assert "signature" not in out
    assert run(capsys, "digest", str(tmp_path / "missing"))[0] == 1


def test_a_report_fits_the_termination_message_and_goes_where_the_kubelet_made_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "KUBELET_FILE", tmp_path / "termination-log")
    report.write_report({"ok": True}, None)
    assert not (tmp_path / "termination-log").exists()
    (tmp_path / "termination-log").touch()
    report.write_report(report.describe_failure(command.FetchError("NotFound", "x" * 10_000)), None)
    assert json.loads((tmp_path / "termination-log").read_bytes())["ok"] is False


def test_progress_speaks_every_few_seconds(capsys):
    logs.configure()
    clock = iter([0.0, 1.0, 6.0, 6.0, 7.0])
    counter = progress.Progress(0, 40 * progress.MIB, now=lambda: next(clock))
    counter.add(10 * progress.MIB)
    counter.add(10 * progress.MIB)
    counter.add(1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["percent"], line["mibPerSecond"]) for line in lines] == [(50.0, 3.3)]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example:8443/a/b?q=1#f", "https://h.example:8443/a/b"),
        ("http://h:port/", "the given address"),
    ],
)
def test_an_address_is_shown_without_what_is_nobodys_business(url, shown):
    assert safe_url(url) == shown


def test_sigterm_keeps_the_part_and_reports(fetcher, tmp_path):
    fetcher.site.steps = [hang]
    log = tmp_path / "termination"
    words = [sys.executable, "-m", "coderag_model", *fetch_words(fetcher, "--termination-log", str(log))]
    environment = {**os.environ, "PYTHONPATH": str(Path(command.__file__).parents[1])}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while not fetcher.site.requests and process.poll() is None:
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 75
    assert json.loads(log.read_text())["reason"] == "Interrupted"
    assert hashlib.sha256(fetcher.site.content).hexdigest() in fetcher.part.name
    assert fetcher.part.exists()
