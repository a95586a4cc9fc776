"""A second repository, cloned over ssh, with a webhook: what is pushed is found long before its schedule.

The stack's key and the host's are checked by a real sshd and a real ssh; only a signed call starts a sync.
"""

import hashlib
import hmac
import json
import subprocess
import urllib.error
import urllib.request

import pytest

from e2e import install
from e2e.scenarios.remote import Remote, indexed
from e2e.standins import ssh_server
from e2e.waiting import wait_until

NAME, SECRET = "hooked", "a-secret-of-the-git-host"
NEVER = "0 0 1 1 *"
BODY = json.dumps({"ref": "refs/heads/main", "repository": {"default_branch": "main"}}).encode()


def make_credentials(remote, folder):
    """Let a new key in at the remote; return the options of a Secret with it and the key that the host is known by."""
    stack, key = remote.stack, folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with stack.cluster.forward(stack.namespace, "service/standins-git", install.PORTS["git"]) as url:
        public = key.with_suffix(".pub").read_bytes()
        answer = install.request("PUT", f"{url}/admin/ssh-key", stack.token, public, "text/plain")
    (folder / "known_hosts").write_text(f"[{remote.host}]:{ssh_server.PORT} {json.loads(answer)['host_key']}\n")
    return f"--from-file=ssh-privatekey={key}", f"--from-file=known_hosts={folder / 'known_hosts'}"


@pytest.fixture(scope="module")
def remote(stack, tmp_path_factory):
    """The stack with the repository in its spec; it is left out again afterwards."""
    made = Remote(stack, NAME, tmp_path_factory.mktemp(NAME))
    made.push("present_from_the_start")
    key = make_credentials(made, tmp_path_factory.mktemp("keys"))
    stack.kubectl("create", "secret", "generic", NAME, f"--from-literal=secret={SECRET}", *key)
    url = f"ssh://git@{made.host}:{ssh_server.PORT}/tmp/repositories/{NAME}.git"
    hooked = {"name": NAME, "url": url, "ref": "main", "schedule": NEVER}
    hooked |= {"webhookSecretRef": {"name": NAME, "key": "secret"}, "credentialsSecretRef": {"name": NAME}}
    with indexed(stack, hooked, beside=True):
        yield made
    stack.wait("Ready", "IndexReady")
    stack.kubectl("delete", "secret", NAME)


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


def test_a_signed_push_is_found_over_ssh_without_waiting_for_the_schedule(remote):
    assert remote.finds("present_from_the_start")
    remote.push("landed_by_webhook")
    assert not remote.finds("landed_by_webhook")
    assert tell(remote.stack, hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()) == 202
    wait_until(lambda: remote.finds("landed_by_webhook"), "the push is found", 60)
    assert remote.finds("present_from_the_start")


def test_a_push_that_somebody_else_signed_is_refused(remote):
    assert tell(remote.stack, hmac.new(b"another secret", BODY, hashlib.sha256).hexdigest()) == 401
