"""A model of several files arrives whole, file by file, or the report says which one is wrong."""

import hashlib
import json
import signal

import pytest
from coderag_model import __main__ as command
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.folder import Wanted, fetch_folder
from coderag_model.source import Source
from faulty_site import cut, status

ETC = ("tokenizer.json", "onnx/model.onnx")


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def wanted(site):
    """Two files; the site sends the same bytes, which are no GGUF file, for every path."""
    site.content = b"{}" * 3000
    digest = hashlib.sha256(site.content).hexdigest()
    return [Wanted(path, digest) for path in ETC]


def fetch(site, wanted, folder, waits):
    deadline = Deadline(3600.0, sleep=waits.append)
    return fetch_folder(f"{site.url}/base/", wanted, folder, deadline, lambda url: Source(url, read=5.0, connect=5.0))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_file_arrives_in_the_folder_and_nothing_else_does(site, wanted, tmp_path, waits):
    found = fetch(site, wanted, tmp_path / "m", waits)
    assert (found.path, found.files, found.size) == (tmp_path / "m", 2, 12000)
    assert files(tmp_path / "m") == ["onnx/model.onnx", "tokenizer.json"]
    assert [one["path"] for one in site.requests] == ["/base/tokenizer.json", "/base/onnx/model.onnx"]
    assert files(tmp_path) == ["m.lock", "m/onnx/model.onnx", "m/tokenizer.json"]


def test_what_is_there_is_not_asked_for_again_and_what_is_damaged_is(site, wanted, tmp_path, waits):
    fetch(site, wanted, tmp_path / "m", waits)
    site.requests.clear()
    (tmp_path / "m/tokenizer.json").write_bytes(b"damaged")
    fetch(site, wanted, tmp_path / "m", waits)
    assert [one["path"] for one in site.requests] == ["/base/tokenizer.json"]


def test_a_cut_file_is_resumed(site, wanted, tmp_path, waits):
    site.steps = [cut(1000)]
    fetch(site, wanted[:1], tmp_path / "m", waits)
    assert site.ranges() == [None, "bytes=1000-"]


@pytest.mark.parametrize(("step", "reason"), [(status(404), "NotFound"), (None, "ChecksumMismatch")])
def test_a_failure_names_the_file(site, wanted, tmp_path, waits, step, reason):
    site.steps = [step] if step else []
    broken = [wanted[0] if step else Wanted(ETC[0], "0" * 64)]
    with pytest.raises(FetchError) as caught:
        fetch(site, broken, tmp_path / "m", waits)
    assert caught.value.reason == reason
    assert str(caught.value).startswith("tokenizer.json: ")
    assert files(tmp_path) == ["m.lock"]


def test_a_volume_that_is_not_there_is_a_failure_of_the_volume(site, wanted, tmp_path, waits):
    with pytest.raises(FetchError) as caught:
        fetch(site, wanted, tmp_path / "none" / "m", waits)
    assert caught.value.reason == "NotFound"


def test_the_command_reports_the_folder_as_the_operator_reads_it(site, wanted, tmp_path, capsys):
    words = [word for file in wanted for word in ("--file", f"{file.path}={file.sha256}")]
    place = ["--name", "folder-1", "--directory", str(tmp_path)]
    assert command.main(["fetch-folder", "--url", f"{site.url}/base", *words, *place]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"ok": True, "file": f"{tmp_path}/folder-1", "sizeBytes": 12000, "files": 2}


@pytest.mark.parametrize(
    ("file", "name"), [("../a=" + "0" * 64, "m"), ("a=0", "m"), ("a", "m"), ("a=" + "0" * 64, "../m")]
)
def test_a_file_outside_of_the_folder_is_refused(file, name, tmp_path, capsys):
    place = ["--name", name, "--directory", str(tmp_path)]
    with pytest.raises(SystemExit):
        command.main(["fetch-folder", "--url", "http://127.0.0.1/", "--file", file, *place])
    assert "needed" in capsys.readouterr().err
