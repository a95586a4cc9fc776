"""Pushes as GitHub, GitLab and Gitea report them: who may, what they cause, and what is refused."""

import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest
from coderag_rag.http.errors import ApiError
from coderag_rag.ingestion.queue import SyncQueue
from coderag_rag.ingestion.source import Key
from coderag_rag.ingestion.webhooks import concerned, pushed_ref

SECRET = b"s3cret"
PUSH = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}


class Nowhere:
    """A remote that is never asked."""

    url = "https://host/app.git"


def sign(body, secret=SECRET):
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


GITHUB = lambda body: {"x-hub-signature-256": f"sha256={sign(body)}"}  # noqa: E731
GITEA = lambda body: {"x-gitea-signature": sign(body)}  # noqa: E731
FORGEJO = lambda body: {"x-forgejo-signature": sign(body)}  # noqa: E731
GITLAB = lambda _body: {"x-gitlab-token": SECRET.decode()}  # noqa: E731


@pytest.fixture
def desk(desk, tmp_path):
    desk.add("app", Nowhere, refs=("release-1",))
    desk.add("open", Nowhere)
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    desk.secrets["app"] = tmp_path / "secret"
    desk.build()
    del desk.http.headers["authorization"]
    return desk


async def send(desk, event, headers=GITHUB, name="app", **more):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return await desk.http.post(f"/v1/webhooks/{name}", content=body, headers=headers(body) | more)


@pytest.mark.parametrize("headers", [GITHUB, GITEA, FORGEJO, GITLAB])
async def test_a_signed_push_is_queued_without_an_api_key(desk, headers):
    answer = await send(desk, PUSH, headers)
    assert (answer.status_code, answer.json()["queued"], answer.json()["refs"]) == (202, True, ["main"])
    assert await desk.worker.queue.get() == Key("app", "main")


async def test_a_push_to_a_further_ref_syncs_that_ref(desk):
    await send(desk, {"ref": "refs/heads/release-1"})
    assert await desk.worker.queue.get() == Key("app", "release-1")


async def test_deliveries_that_come_twice_wait_once(desk):
    await send(desk, PUSH)
    assert (await send(desk, PUSH)).json()["message"] == "was waiting already"
    assert len(desk.worker.queue) == 1


@pytest.mark.parametrize("event", [{"ref": "refs/heads/other"}, {"zen": "ping"}, {"ref": 7}, {"ref": ""}])
async def test_what_concerns_no_indexed_ref_is_accepted_and_not_queued(desk, event):
    answer = await send(desk, event)
    assert (answer.status_code, answer.json()["queued"]) == (202, False)
    assert len(desk.worker.queue) == 0


@pytest.mark.parametrize(
    "headers",
    [
        lambda _body: {},
        lambda body: {"x-hub-signature-256": f"sha256={sign(body, b'other')}"},
        lambda body: {"x-hub-signature-256": sign(body)},
        lambda body: {"x-hub-signature-256": f"sha1={sign(body)}"},
        lambda body: {"x-gitea-signature": f"sha256={sign(body)}"},
        lambda _body: {"x-gitlab-token": "s3cre"},
        lambda _body: {"x-gitlab-token": "gäheim".encode("latin-1")},
        lambda _body: {"authorization": "Bearer key"},
    ],
)
async def test_a_wrong_signature_is_refused(desk, headers):
    answer = await send(desk, PUSH, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_signature")
    assert len(desk.worker.queue) == 0
    assert "s3cret" not in answer.text


@pytest.mark.parametrize("name", ["open", "unknown"])
async def test_repositories_without_a_secret_and_unknown_ones_look_the_same(desk, name):
    answer = await send(desk, PUSH, name=name)
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "no webhook is expected here")


async def test_a_changed_secret_works_at_once_and_a_missing_one_is_told(desk, tmp_path):
    (tmp_path / "secret").write_bytes(b"new")
    assert (await send(desk, PUSH)).status_code == 401
    (tmp_path / "secret").write_bytes(b"")
    assert (await send(desk, PUSH)).json()["error"]["code"] == "no_secret"
    (tmp_path / "secret").unlink()
    answer = await send(desk, PUSH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_secret")


async def test_a_large_body_is_not_read_to_its_end(desk):
    answer = await send(desk, b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 200_000])
async def test_a_body_that_is_no_event_is_refused(desk, body):
    assert (await send(desk, body)).status_code == 400


async def test_a_form_is_understood(desk):
    body = urlencode({"payload": json.dumps(PUSH)}).encode()
    answer = await send(desk, body, **{"content-type": "application/x-www-form-urlencoded"})
    assert answer.json()["queued"] is True


async def test_a_full_queue_asks_to_send_it_again(desk):
    desk.worker.queue = SyncQueue(0)
    answer = await send(desk, PUSH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_everything_else_still_needs_a_key(desk):
    assert (await desk.http.post("/v1/repositories/app/sync")).status_code == 401
    assert (await desk.http.get("/v1/webhooks")).status_code == 401
    assert (await desk.http.get("/v1/webhooks/app")).status_code == 405


@pytest.mark.parametrize(
    ("refs", "pushed", "default", "found"),
    [
        (("main",), "refs/heads/main", False, ["main"]),
        (("refs/heads/main",), "refs/heads/main", False, ["refs/heads/main"]),
        (("v1",), "refs/tags/v1", False, ["v1"]),
        (("HEAD", "main"), "refs/heads/main", True, ["HEAD", "main"]),
        (("HEAD",), "refs/heads/side", False, []),
        (("feature/x",), "refs/heads/x", False, []),
        (("main",), "", False, []),
    ],
)
def test_which_refs_a_push_is_about(refs, pushed, default, found):
    assert concerned(refs, pushed, default) == found


def test_the_default_branch_is_known_from_every_host():
    assert pushed_ref(json.dumps(PUSH).encode(), "application/json") == ("refs/heads/main", True)
    gitlab = {"ref": "refs/heads/x", "project": {"default_branch": "x"}, "repository": {"name": "app"}}
    assert pushed_ref(json.dumps(gitlab).encode(), "") == ("refs/heads/x", True)
    assert pushed_ref(b'{"ref": "refs/heads/x", "repository": 1}', "") == ("refs/heads/x", False)
    with pytest.raises(ApiError):
        pushed_ref(b"null", "")
