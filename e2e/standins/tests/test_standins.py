"""The stand-ins keep the promises that tests rely on; each fault is the fault that its name says."""

import contextlib
import hashlib
import json
import subprocess
import threading

import httpx
import pytest

from e2e.standins import git_remote, hub, openai_script
from e2e.standins.__main__ import main
from e2e.standins.http_server import make_server
from e2e.standins.tiny_gguf import write_all

DATA = b"GGUF" + bytes(range(256)) * 8
TOKEN = "a-token-for-tests"


@contextlib.contextmanager
def served(handler):
    server = make_server(handler, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def models(tmp_path):
    (tmp_path / "a.gguf").write_bytes(DATA)
    with served(hub.make_handler(tmp_path, tmp_path / "added")) as url:
        yield url


@pytest.fixture
def admin(monkeypatch):
    monkeypatch.setenv("STANDINS_ADMIN_TOKEN", TOKEN)
    return {"Authorization": f"Bearer {TOKEN}"}


def test_the_hub_serves_a_file_whole_and_in_parts(models):
    assert httpx.get(f"{models}/a.gguf").content == DATA
    part = httpx.get(f"{models}/a.gguf", headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, DATA[100:])
    assert part.headers["content-range"] == f"bytes 100-{len(DATA) - 1}/{len(DATA)}"
    assert httpx.get(f"{models}/a.gguf", headers={"Range": f"bytes={len(DATA)}-"}).status_code == 416
    assert httpx.head(f"{models}/a.gguf").headers["content-length"] == str(len(DATA))


def test_the_hub_serves_what_an_admin_adds(models, admin):
    assert httpx.put(f"{models}/admin/files/b.onnx", content=b"new").status_code == 401
    assert httpx.put(f"{models}/admin/files/..%2Fb", content=b"new", headers=admin).status_code == 404
    assert httpx.put(f"{models}/admin/files/b.onnx", content=b"new", headers=admin).status_code == 200
    assert httpx.get(f"{models}/b.onnx").content == b"new"


def test_the_hub_sends_a_changed_file_whole(models):
    etag = httpx.head(f"{models}/a.gguf").headers["etag"]
    for guard, status in ((etag, 206), ('"another"', 200)):
        headers = {"Range": "bytes=9-", "If-Range": guard}
        assert httpx.get(f"{models}/a.gguf", headers=headers).status_code == status


def test_the_hub_knows_its_hashes_and_what_was_asked(models):
    assert httpx.get(f"{models}/sha256.json").json() == {"a.gguf": hashlib.sha256(DATA).hexdigest()}
    httpx.get(f"{models}/a.gguf", headers={"Authorization": "Bearer x"})
    assert httpx.get(f"{models}/requests").json()[-1] == {"path": "/a.gguf", "range": "", "authorization": "Bearer x"}


def test_each_fault_of_the_hub_is_what_its_name_says(models):
    assert httpx.get(f"{models}/a.gguf?ignore-range", headers={"Range": "bytes=9-"}).status_code == 200
    assert httpx.get(f"{models}/a.gguf?wrong-bytes").content != DATA
    assert httpx.get(f"{models}/a.gguf?fail=500").status_code == 500
    assert httpx.get(f"{models}/a.gguf?token=s").status_code == 401
    assert httpx.get(f"{models}/a.gguf?token=s", headers={"Authorization": "Bearer s"}).status_code == 200
    assert httpx.get(f"{models}/a.gguf?redirect=/elsewhere").headers["location"] == "/elsewhere"
    assert httpx.get(f"{models}/b.gguf").status_code == 404
    codes = [httpx.get(f"{models}/a.gguf?fail-times=2").status_code for _ in range(3)]
    assert codes == [503, 503, 200]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{models}/a.gguf?truncate=50")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{models}/a.gguf?hang", timeout=0.2)


def make_repository(folder):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    folder.mkdir()
    (folder / "file.txt").write_text("content\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        [*identity, "commit", "-qm", "first"],
        ["bundle", "create", "-q", "b", "HEAD"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return (folder / "b").read_bytes()


def clone(url, target):
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(["git", "clone", "-q", url, str(target)], capture_output=True, text=True, env=environment)


def test_a_bundle_becomes_a_repository_that_git_clones(tmp_path, admin):
    bundle = make_repository(tmp_path / "source")
    with served(git_remote.make_handler(tmp_path / "bare")) as url:
        assert httpx.put(f"{url}/admin/repositories/app", content=bundle).status_code == 401
        assert httpx.put(f"{url}/admin/repositories/app", content=bundle, headers=admin).status_code == 200
        assert clone(f"{url}/app.git", tmp_path / "clone").returncode == 0
        assert (tmp_path / "clone" / "file.txt").read_text() == "content\n"
        assert clone(f"{url}/other.git", tmp_path / "none").returncode != 0


def test_a_repository_with_credentials_asks_for_them(tmp_path, admin):
    bundle = make_repository(tmp_path / "source")
    with served(git_remote.make_handler(tmp_path / "bare")) as url:
        httpx.put(f"{url}/admin/repositories/app?user=u&password=p", content=bundle, headers=admin)
        assert clone(f"{url}/app.git", tmp_path / "refused").returncode != 0
        assert clone(url.replace("//", "//u:p@") + "/app.git", tmp_path / "clone").returncode == 0
        assert httpx.delete(f"{url}/admin/repositories/app", headers=admin).status_code == 200
        assert clone(url.replace("//", "//u:p@") + "/app.git", tmp_path / "gone").returncode != 0


def test_what_is_not_a_bundle_is_refused_with_gits_own_words(tmp_path, admin):
    with served(git_remote.make_handler(tmp_path / "bare")) as url:
        answer = httpx.put(f"{url}/admin/repositories/app", content=b"nonsense", headers=admin)
        assert answer.status_code == 400
        assert httpx.put(f"{url}/elsewhere", headers=admin).status_code == 404


@pytest.fixture
def scripted(admin):
    with served(openai_script.make_handler()) as url, httpx.Client(base_url=url, headers=admin) as client:
        yield client


def ask(client, prompt="[1] a\n[2] b", **options):
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **options}
    return client.post("/v1/chat/completions", json=body)


def test_the_script_cites_the_last_block_and_invents_the_one_after_it(scripted):
    scripted.put("/admin/script", json={"answer": "see [{n}] and [{after}]"})
    assert ask(scripted).json()["choices"][0]["message"]["content"] == "see [2] and [3]"
    assert scripted.get("/admin/last-request").json()["messages"][0]["content"].startswith("[1]")


def test_a_stream_says_the_same_as_a_whole_answer(scripted):
    whole = ask(scripted).json()["choices"][0]["message"]["content"]
    lines = [line[6:] for line in ask(scripted, stream=True).text.splitlines() if line.startswith("data: {")]
    assert "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines) == whole


def test_calls_of_tools_come_after_the_text_until_the_next_script(scripted):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    scripted.put("/admin/script", json={"answer": "one two", "tool_calls": [call], "piece": 4})
    choice = ask(scripted).json()["choices"][0]
    assert (choice["message"]["tool_calls"], choice["finish_reason"]) == ([call], "tool_calls")
    told = ask(scripted, stream=True, stream_options={"include_usage": True}).text
    chunks = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas == [{"content": "one "}, {"content": "two"}, {"tool_calls": [{"index": 0, **call}]}, {}]
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    scripted.put("/admin/script", json={"answer": "plain"})
    assert ask(scripted).json()["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_scripted_failure_has_its_status(scripted, code):
    scripted.put("/admin/script", json={"fault": str(code)})
    assert ask(scripted).status_code == code


def test_a_cut_stream_ends_without_done(scripted):
    for fault in ("cut-before", "cut-after"):
        scripted.put("/admin/script", json={"fault": fault})
        assert "[DONE]" not in ask(scripted, stream=True).text


def test_the_tiny_models_are_the_same_bytes_each_time(tmp_path):
    first = [path.read_bytes() for path in write_all(tmp_path / "one")]
    second = [path.read_bytes() for path in write_all(tmp_path / "two")]
    assert first == second
    assert first[0] != first[1]


def test_an_unknown_stand_in_is_named(capsys):
    assert main(["hugging"]) == 2
    assert "hugging" in capsys.readouterr().err
