"""Remotes: what a ref means, what a commit holds, and clear words when something is wrong."""

import base64
import functools
import http.server
import os
import socket
import threading

import pytest
from coderag_rag.git.command import Git, base_environment
from coderag_rag.git.credentials import credential_environment, write_askpass
from coderag_rag.git.errors import EmptyRepository, GitError, UnknownRef, explain
from coderag_rag.git.repository import Repository

pytestmark = pytest.mark.slow


@pytest.fixture
def remote(bench):
    made = bench.remote("app")
    made.commit({"a.py": "one\n", "sub/b.bin": b"\0\1\n", "빈 파일.txt": ""})
    return made


def repository(bench, remote, url=None, git=None):
    return Repository(git or bench.git, url or remote.url, bench.folder / "copy.git")


async def content(copy, commit):
    files = {file.blob: file for file in await copy.files(commit)}
    async with copy.blobs(files) as stream:
        return {files[blob].path: data async for blob, data in stream}


async def test_the_content_of_a_commit_comes_back_byte_for_byte(bench, remote):
    copy = repository(bench, remote)
    commit = await copy.fetch(await copy.resolve("main"))
    assert commit == remote.git("rev-parse", "HEAD")
    assert await content(copy, commit) == {"a.py": b"one\n", "sub/b.bin": b"\0\1\n", "빈 파일.txt": b""}


@pytest.mark.parametrize("ref", ["main", "HEAD", "refs/heads/main", "v1", "annotated", "commit"])
async def test_branches_tags_names_and_commits_are_understood(bench, remote, ref):
    commit = remote.git("rev-parse", "HEAD")
    remote.git("tag", "v1")
    remote.git("tag", "--annotate", "annotated", "--message", "x")
    copy = repository(bench, remote)
    target = await copy.resolve(commit if ref == "commit" else ref)
    assert target.commit == commit
    assert await copy.fetch(target) == commit


async def test_a_branch_is_not_mistaken_for_one_that_ends_like_it(bench, remote):
    remote.git("branch", "feature/other")
    with pytest.raises(UnknownRef, match="ref 'other' does not exist"):
        await repository(bench, remote).resolve("other")


async def test_an_empty_repository_says_so(bench):
    with pytest.raises(EmptyRepository, match="push a commit"):
        await repository(bench, bench.remote("empty")).resolve("main")


async def test_a_damaged_copy_is_fetched_again(bench, remote):
    copy = repository(bench, remote)
    await copy.fetch(await copy.resolve("main"))
    (bench.folder / "copy.git" / "config").write_text("[core\n")
    commit = remote.commit({"c.py": "x\n"})
    assert await copy.fetch(await copy.resolve("main")) == commit


async def test_a_sound_copy_survives_a_remote_that_fails(bench, remote):
    copy = repository(bench, remote)
    target = await copy.resolve("main")
    commit = await copy.fetch(target)
    remote.path.rename(remote.path.with_name("away"))
    with pytest.raises(GitError, match="no Git repository at this URL"):
        await copy.fetch(target)
    assert len(await copy.files(commit)) == 3


async def test_a_missing_blob_is_an_error_and_not_an_empty_file(bench, remote):
    copy = repository(bench, remote)
    await copy.fetch(await copy.resolve("main"))
    async with copy.blobs(["0" * 40]) as stream:
        with pytest.raises(GitError, match="missing from the local copy"):
            await anext(stream)


async def test_a_batch_that_ends_early_is_an_error(bench):
    copy = repository(bench, None, url="unused")
    async with copy.blobs(["0" * 40, "1" * 40]) as stream:
        with pytest.raises(GitError, match="reading blob"):
            [one async for one in stream]


async def test_repositories_with_sha256_objects_work(bench):
    remote = bench.remote("long")
    remote.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "inner")
    inner = type(remote).__new__(type(remote))
    inner.path = remote.path / "inner"
    inner.git("config", "user.email", "t@example.com")
    inner.git("config", "user.name", "T")
    inner.commit({"a.py": "x\n"})
    copy = repository(bench, inner)
    commit = await copy.fetch(await copy.resolve("main"))
    assert len(commit) == 64
    assert await content(copy, commit) == {"a.py": b"x\n"}


async def test_a_protocol_that_is_not_allowed_is_refused(bench, remote):
    closed = Git(base_environment(allow_file=False), timeout=30)
    with pytest.raises(GitError, match="this protocol is not allowed: use https or ssh"):
        await repository(bench, remote, git=closed).resolve("main")


async def test_a_remote_that_is_not_there_is_named_as_such(bench):
    with pytest.raises(GitError, match="the remote is not reachable"):
        await repository(bench, None, url="http://127.0.0.1:1/x.git").resolve("main")
    with pytest.raises(GitError, match="no Git repository at this URL"):
        await repository(bench, None, url=f"file://{bench.folder}").resolve("main")


async def test_a_remote_that_never_answers_is_given_up(bench):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hurried = Git(base_environment(allow_file=False), timeout=0.3)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        with pytest.raises(GitError, match=r"git ls-remote took longer than 0.3 s"):
            await repository(bench, None, url=url, git=hurried).resolve("main")


class Guarded(http.server.SimpleHTTPRequestHandler):
    """A plain file server that wants user name and password."""

    wanted = "Basic " + base64.b64encode(b"robot:pa:ss").decode()
    seen: list[str]

    def do_GET(self):
        self.seen.append(self.path)
        if self.headers.get("Authorization") != self.wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def guarded(remote):
    remote.git("update-server-info")
    handler = functools.partial(Guarded, directory=str(remote.path))
    Guarded.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/.git"
        server.shutdown()


def with_credentials(folder, **files):
    mounted = folder / "secret"
    mounted.mkdir()
    for name, text in files.items():
        (mounted / name.replace("_", "-")).write_text(text)
    write_askpass(folder)
    return Git(base_environment(False), 30, functools.partial(credential_environment, mounted, folder))


async def test_credentials_come_from_files_at_each_use_and_work_without_shallow_support(bench, guarded, tmp_path):
    git = with_credentials(tmp_path, username="robot\n", password="wrong\n")
    copy = repository(bench, None, url=guarded, git=git)
    with pytest.raises(GitError, match="authentication failed: check the credentials"):
        await copy.resolve("main")
    (tmp_path / "secret" / "password").write_text("pa:ss\n")
    commit = await copy.fetch(await copy.resolve("main"))
    assert len(await content(copy, commit)) == 3
    assert not any("pa:ss" in path for path in Guarded.seen)
    assert b"pa:ss" not in (bench.folder / "copy.git" / "config").read_bytes()


async def test_without_credentials_nobody_is_asked(bench, guarded):
    with pytest.raises(GitError, match="authentication failed"):
        await repository(bench, None, url=guarded).resolve("main")


def test_a_token_needs_no_user_name(tmp_path):
    git = with_credentials(tmp_path, token="t0ken\n")
    assert git.credentials()["CODERAG_GIT_PASSWORD_FILE"].endswith("/token")
    assert "t0ken" not in repr([git, git.credentials()])


SSH = """#!/bin/sh
echo "$@" >> "{folder}/called"
for word; do case "$before" in -i) cat "$word" > "{folder}/seen" ;; esac; before=$word; last=$word; done
exec sh -c "$last"
"""


@pytest.fixture
def with_ssh(tmp_path, monkeypatch):
    """A program named ssh that runs the other side's command here and keeps what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH.format(folder=folder))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def ssh_credentials(folder, key="KEY", known="host key"):
    git = with_credentials(folder, ssh_privatekey=key)
    if known:
        (folder / "secret" / "known_hosts").write_text(known)
    return git


async def test_an_ssh_remote_is_read_with_the_key_and_the_known_hosts_of_the_folder(bench, remote, tmp_path, with_ssh):
    git = ssh_credentials(tmp_path)
    git = Git(base_environment(False), 30, git.credentials)
    copy = repository(bench, None, url=f"ssh://git@host{remote.path}", git=git)
    commit = await copy.fetch(await copy.resolve("main"))
    assert len(await content(copy, commit)) == 3
    called = (with_ssh / "called").read_text()
    assert f"-o UserKnownHostsFile={tmp_path}/secret/known_hosts" in called
    assert "-o StrictHostKeyChecking=yes" in called
    assert "-F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes" in called
    assert "KEY" not in called.replace("StrictHostKEY", "")
    assert (with_ssh / "seen").read_text() == "KEY\n"
    assert (tmp_path / "key-secret").stat().st_mode & 0o777 == 0o600


def test_a_rotated_ssh_key_is_used_at_once_and_an_unchanged_one_is_left_in_place(tmp_path):
    git = ssh_credentials(tmp_path)
    git.credentials()
    before = (tmp_path / "key-secret").stat().st_ino
    git.credentials()
    assert (tmp_path / "key-secret").stat().st_ino == before
    (tmp_path / "secret" / "ssh-privatekey").write_text("NEW")
    git.credentials()
    assert (tmp_path / "key-secret").read_text() == "NEW\n"


async def test_an_ssh_key_without_known_hosts_is_refused_before_anything_is_sent(bench, tmp_path, with_ssh):
    copy = repository(bench, None, url="ssh://git@host/x.git", git=ssh_credentials(tmp_path, known=None))
    with pytest.raises(GitError, match="known_hosts is missing beside ssh-privatekey"):
        await copy.resolve("main")
    assert not (with_ssh / "called").exists()


async def test_submodules_are_neither_fetched_nor_asked_for(bench, remote):
    other = bench.remote("other")
    other.commit({"inner.py": "x\n"})
    remote.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.url, "lib/other")
    remote.commit({})
    other.path.rename(other.path.with_name("away"))
    copy = repository(bench, remote)
    commit = await copy.fetch(await copy.resolve("main"))
    assert ("lib/other", "160000") in {(file.path, file.mode) for file in await copy.files(commit)}


async def test_two_refs_share_one_copy(bench, remote):
    first = remote.git("rev-parse", "HEAD")
    remote.git("checkout", "--quiet", "-b", "next")
    second = remote.commit({"next.py": "x\n"})
    copy = repository(bench, remote)
    assert await copy.fetch(await copy.resolve("main")) == first
    assert await copy.fetch(await copy.resolve("next")) == second
    assert await copy.fetch(await copy.resolve("main")) == first
    assert (len(await copy.files(first)), len(await copy.files(second))) == (3, 4)


def test_a_private_ca_and_a_proxy_are_passed_on_and_nothing_else():
    source = {"PATH": "/bin", "SSL_CERT_FILE": "/ca.pem", "HTTPS_PROXY": "http://proxy", "QDRANT_API_KEY": "secret"}
    environment = base_environment(False, source)
    assert environment["GIT_SSL_CAINFO"] == "/ca.pem"
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert "secret" not in environment.values()


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "fatal: unable to access 'https://u:p@host/': Could not resolve host: host",
            "the host name cannot be resolved",
        ),
        ("fatal: SSL certificate problem: unable to get local issuer", "the TLS certificate is not trusted"),
        (
            "Host key verification failed.\nfatal: Could not read from remote repository.\nPermission denied",
            "the SSH host key is not known",
        ),
        ('Load key "/x/key": invalid format\ngit@host: Permission denied (publickey).', "the SSH key cannot be read"),
        ("error: Server does not allow request for unadvertised object 1", "the remote does not give out this commit"),
        ("fatal: odd", "git failed (fatal: odd)"),
        ("", "git failed (git said nothing)"),
    ],
)
def test_errors_say_what_to_do_and_hold_no_credentials(stderr, message):
    explained = explain(stderr)
    assert explained.startswith(message)
    assert "u:p" not in explained


def test_without_credentials_ssh_does_not_ask(tmp_path):
    assert "BatchMode=yes" in credential_environment(None, tmp_path)["GIT_SSH_COMMAND"]
