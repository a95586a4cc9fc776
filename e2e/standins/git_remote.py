"""A Git remote: smart HTTP through git's own http-backend, read-only; repositories arrive as bundles on an admin route.

`PUT /admin/repositories/NAME` takes a bundle and makes or updates NAME.git, the bundle's HEAD as branch main; with
`?user=U&password=P` the repository then asks for these. `DELETE /admin/repositories/NAME` takes it away. After
`PUT /admin/ssh-key`, answered with the host's key, the holder of the key of its body reads them all over ssh too.
"""

import base64
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from e2e.standins import ssh_server
from e2e.standins.http_server import Handler, parse, serve

ADMIN = re.compile(r"^/admin/repositories/([a-z0-9][-a-z0-9.]{0,63})$")
SSH_KEY = "/admin/ssh-key"
REPOSITORY = re.compile(r"^/([a-z0-9][-a-z0-9.]{0,63}\.git)/")
CREDENTIALS = "coderag-credentials"


class GitHandler(Handler):
    """Routes: /NAME.git/… for git, /admin/repositories/NAME and /admin/ssh-key for tests."""

    folder = Path("/tmp/repositories")

    def do_PUT(self) -> None:  # noqa: N802
        """Take a bundle or a public key."""
        url = urllib.parse.urlsplit(self.path)
        found = ADMIN.match(url.path)
        body = self.read_body()
        if not found and url.path != SSH_KEY:
            return self.answer_json(404, {"error": "no such route"})
        if not self.is_admin():
            return None
        return self.take_bundle(found.group(1), url.query, body) if found else self.take_key(body)

    def take_key(self, body: bytes) -> None:
        """Let a key in over ssh."""
        try:
            host_key = ssh_server.admit(self.folder.with_name("ssh"), body.decode(errors="replace"))
        except subprocess.CalledProcessError as error:
            return self.answer_json(400, {"error": f"not a public key: {error.stderr.strip()}"})
        return self.answer_json(200, {"host_key": host_key})

    def take_bundle(self, name: str, query: str, body: bytes) -> None:
        """Make or update a repository."""
        repository = self.folder / f"{name}.git"
        try:
            store_bundle(repository, body)
        except subprocess.CalledProcessError as error:
            return self.answer_json(400, {"error": f"not a bundle: {error.stderr.strip()}"})
        write_credentials(repository, urllib.parse.parse_qs(query))
        return self.answer_json(200, {"stored": name})

    def do_DELETE(self) -> None:  # noqa: N802
        """Take a repository away."""
        found = ADMIN.match(self.path)
        if found and self.is_admin():
            shutil.rmtree(self.folder / f"{found.group(1)}.git", ignore_errors=True)
            self.answer_json(200, {"removed": found.group(1)})
        elif not found:
            self.answer_json(404, {"error": "no such route"})

    def do_GET(self) -> None:  # noqa: N802
        """Pass to git."""
        self.run_backend(b"")

    def do_POST(self) -> None:  # noqa: N802
        """Pass to git."""
        self.run_backend(self.read_body())

    def run_backend(self, body: bytes) -> None:
        """Run git http-backend as CGI and send what it says."""
        url = urllib.parse.urlsplit(self.path)
        found = REPOSITORY.match(url.path)
        if not found or not (self.folder / found.group(1)).is_dir():
            return self.answer(404, b"repository not found", "text/plain")
        if not self.is_allowed(self.folder / found.group(1)):
            return self.answer(401, b"credentials needed", "text/plain", WWW_Authenticate='Basic realm="git"')
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=self.environment(url), check=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        code = int(headers.pop("Status", "200").split()[0])
        kind = headers.pop("Content-Type", "text/plain")
        return self.answer(code, content, kind, **{"Cache-Control": headers.get("Cache-Control", "no-cache")})

    def is_allowed(self, repository: Path) -> bool:
        """Tell whether the request carries the credentials of the repository, if it has any."""
        wanted = repository / CREDENTIALS
        if not wanted.exists():
            return True
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(wanted.read_bytes()).decode()

    def environment(self, url: urllib.parse.SplitResult) -> dict[str, str]:
        """Return the CGI variables of this request."""
        return {
            "PATH": os.environ["PATH"], "HOME": "/tmp", "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": url.path, "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": self.client_address[0],
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip


def store_bundle(target: Path, bundle: bytes) -> None:
    """Make or update a bare repository from a bundle, whose HEAD becomes the branch main."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        if not target.exists():
            git("init", "--quiet", "--bare", "--initial-branch=main", str(target))
        git("-C", str(target), "fetch", "--quiet", "--force", file.name, "+HEAD:refs/heads/main")


def git(*arguments: str) -> None:
    """Run git; its own words are in the error."""
    subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)


def write_credentials(repository: Path, query: dict[str, list[str]]) -> None:
    """Ask for user and password from now on, or no longer."""
    path = repository / CREDENTIALS
    path.unlink(missing_ok=True)
    if "user" in query:
        path.write_text(f"{query['user'][0]}:{query['password'][0]}")


def make_handler(folder: Path) -> type[GitHandler]:
    """Return a handler class for one folder."""
    return type("FolderGit", (GitHandler,), {"folder": folder})


def main(argv: Sequence[str]) -> int:
    """Run the remote."""
    options = parse("git", 8081, argv, folder="/tmp/repositories")
    return serve(make_handler(Path(options.folder)), options.host, options.port)
