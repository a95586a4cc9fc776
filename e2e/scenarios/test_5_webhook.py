"""A second repository with a webhook: what is pushed is found long before its schedule, and only a signature counts."""

import hashlib
import hmac
import json
import subprocess
import urllib.error
import urllib.request

import pytest

from e2e import install
from e2e.demo.answers import post
from e2e.waiting import wait_until

NAME, SECRET = "hooked", "a-secret-of-the-git-host"
NEVER = "0 0 1 1 *"
BODY = json.dumps({"ref": "refs/heads/main", "repository": {"default_branch": "main"}}).encode()


class Remote:
    """A repository of this test's own and the way it reaches the cluster."""

    def __init__(self, stack, folder):
        self.stack, self.folder = stack, folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", *words], cwd=self.folder,
                       check=True)  # fmt: skip

    def push(self, name):
        """Commit a file with one function of this name, and push it."""
        (self.folder / f"{name}.py").write_text(f"def {name}():\n    return 1\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Add {name}")
        install.push_repository(self.stack.cluster, self.stack.namespace, self.stack.token, NAME, self.folder)


@pytest.fixture(scope="module")
def remote(stack, tmp_path_factory):
    """The stack with the repository in its spec; it is left out again afterwards."""
    made = Remote(stack, tmp_path_factory.mktemp("hooked"))
    made.push("present_from_the_start")
    before = stack.get("crs", stack.name)["spec"]["repositories"]
    stack.kubectl("create", "secret", "generic", NAME, f"--from-literal=secret={SECRET}")
    url = f"http://standins-git.{stack.namespace}.svc:{install.PORTS['git']}/{NAME}.git"
    hooked = {"name": NAME, "url": url, "ref": "main", "schedule": NEVER}
    hooked["webhookSecretRef"] = {"name": NAME, "key": "secret"}
    stack.patch({"repositories": [*before, hooked]})
    stack.wait("Ready", "IndexReady", seconds=300)
    yield made
    stack.patch({"repositories": before})
    stack.kubectl("delete", "secret", NAME)
    stack.wait("Ready", "IndexReady", seconds=300)


def tell(stack, signature):
    """Send a push as GitHub would; return the status code."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-ingestion", 8005) as url:
        try:
            asked = urllib.request.Request(f"{url}/v1/webhooks/{NAME}", BODY, headers, method="POST")
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def finds(rag, key, name):
    """Tell whether a search of the repository answers with the file of this function."""
    hits = post(rag, key, "/v1/search", {"query": name, "repositories": [NAME]})["hits"]
    return any(hit["path"] == f"{name}.py" for hit in hits)


def test_a_signed_push_is_found_without_waiting_for_the_schedule(remote, rag):
    stack, key = remote.stack, remote.stack.key()
    assert finds(rag, key, "present_from_the_start")
    remote.push("landed_by_webhook")
    assert not finds(rag, key, "landed_by_webhook")
    assert tell(stack, hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()) == 202
    wait_until(lambda: finds(rag, key, "landed_by_webhook"), "the push is found", 60)
    assert finds(rag, key, "present_from_the_start")


def test_a_push_that_somebody_else_signed_is_refused(remote):
    assert tell(remote.stack, hmac.new(b"another secret", BODY, hashlib.sha256).hexdigest()) == 401
