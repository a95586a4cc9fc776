"""Requests as they go over the wire, against a small HTTP server that records them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from coderag_operator.errors import Blocked, Terminal, Transient, Vanished
from coderag_operator.kube.api import ApiKube
from coderag_operator.kube.kinds import BY_NAME, EVENT, NODE, STACK
from kubernetes import client

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "team", "name": "a"}}


class Server(ThreadingHTTPServer):
    """Answers with what the test has put into `answers`, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = json.loads(body) if body else None
        self.server.requests.append((self.command, self.path, self.headers.get("Content-Type", ""), sent))
        self.server.headers_seen = {name.lower(): value for name, value in self.headers.items()}  # type: ignore[attr-defined]
        status, answer = self.server.answers.pop(0)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Retry-After", "3")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def kube(server: Server) -> Iterator[ApiKube]:
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_port}"
    configuration.api_key = {"BearerToken": "secret-token", "authorization": "secret-token"}
    configuration.api_key_prefix = {"BearerToken": "Bearer", "authorization": "Bearer"}
    configuration.retries = False
    kube = ApiKube(client.ApiClient(configuration), timeout=(1, 1))
    yield kube
    kube.close()


def test_an_apply_forces_and_validates(server: Server, kube: ApiKube) -> None:
    server.answers = [(200, SERVICE)]
    assert kube.apply(SERVICE) == SERVICE
    path = "/api/v1/namespaces/team/services/a?fieldManager=coderag-operator&force=true&fieldValidation=Strict"
    assert server.requests == [("PATCH", path, "application/apply-patch+yaml", SERVICE)]
    assert server.headers_seen["authorization"] == "Bearer secret-token"  # type: ignore[attr-defined]
    assert server.headers_seen["user-agent"] == "coderag-operator"  # type: ignore[attr-defined]


def test_a_status_is_applied_under_a_manager_of_its_own(server: Server, kube: ApiKube) -> None:
    stack = {"apiVersion": STACK.api_version, "kind": STACK.name, "metadata": {"namespace": "team", "name": "a"}}
    server.answers = [(200, stack)]
    kube.apply_status(stack)
    assert server.requests[0][1].startswith(
        "/apis/coderag.dev/v1alpha1/namespaces/team/coderagstacks/a/status?fieldManager=coderag-operator-status&"
    )


def test_creating_what_exists_is_no_failure(server: Server, kube: ApiKube) -> None:
    server.answers = [(409, {"reason": "AlreadyExists"}), (201, SERVICE), (409, {"reason": "Conflict"})]
    assert kube.create(SERVICE) is None
    assert kube.create(SERVICE) == SERVICE
    with pytest.raises(Transient):
        kube.create(SERVICE)


def test_getting_what_is_not_there_is_none(server: Server, kube: ApiKube) -> None:
    server.answers = [(404, {"reason": "NotFound"})]
    assert kube.get(BY_NAME["Service"], "team", "a") is None


def test_a_delete_names_the_uid(server: Server, kube: ApiKube) -> None:
    server.answers = [(200, {}), (404, {}), (409, {"reason": "Conflict"}), (500, {})]
    kind = BY_NAME["Service"]
    assert [kube.delete(kind, "team", "a", "u1") for _ in range(3)] == [True, False, False]
    assert server.requests[0][3]["preconditions"] == {"uid": "u1"}
    assert server.requests[0][3]["propagationPolicy"] == "Background"
    with pytest.raises(Transient):
        kube.delete(kind, "team", "a", "u1")


def test_a_list_is_read_page_by_page(server: Server, kube: ApiKube) -> None:
    item = {"metadata": {"uid": "u"}}
    server.answers = [
        (200, {"items": [item], "metadata": {"continue": "more", "resourceVersion": "1"}}),
        (200, {"items": None, "metadata": {"resourceVersion": "2"}}),
    ]
    assert kube.list(BY_NAME["Service"], None, "coderag.dev/stack") == ([item], "2")
    assert "continue=more" in server.requests[1][1]


def test_a_scan_yields_whole_objects_of_the_whole_cluster_page_by_page(server: Server, kube: ApiKube) -> None:
    nodes = [{"metadata": {"name": name}, "status": {"allocatable": {"cpu": "8"}}} for name in "ab"]
    server.answers = [
        (200, {"items": nodes[:1], "metadata": {"continue": "more", "resourceVersion": "1"}}),
        (200, {"items": nodes[1:], "metadata": {"resourceVersion": "1"}}),
    ]
    assert list(kube.scan(NODE)) == nodes
    assert [one[1] for one in server.requests] == ["/api/v1/nodes?limit=100", "/api/v1/nodes?limit=100&continue=more"]
    assert server.headers_seen["accept"] == "application/json"  # type: ignore[attr-defined]


def test_a_merge_and_a_replace_go_to_the_object(server: Server, kube: ApiKube) -> None:
    server.answers = [(200, {}), (200, {})]
    kube.merge(EVENT, "team", "e", {"count": 2})
    kube.replace(SERVICE)
    assert [(one[0], one[2]) for one in server.requests] == [
        ("PATCH", "application/merge-patch+json"),
        ("PUT", "application/json"),
    ]


@pytest.mark.parametrize(("status", "kind"), [(422, Terminal), (403, Blocked), (404, Vanished)])
def test_failures_are_told_apart(server: Server, kube: ApiKube, status: int, kind: type[Exception]) -> None:
    server.answers = [(status, {"reason": "R", "message": "m", "details": {"name": "a"}})]
    with pytest.raises(kind, match="m"):
        kube.apply(SERVICE)


def test_the_wish_for_a_later_try_is_read(server: Server, kube: ApiKube) -> None:
    server.answers = [(429, {})]
    with pytest.raises(Transient) as caught:
        kube.apply(SERVICE)
    assert caught.value.retry_after == 3


def test_a_server_that_is_not_there_is_transient_and_shows_no_address(kube: ApiKube, server: Server) -> None:
    kube._client.configuration.host = "http://127.0.0.1:1"
    with pytest.raises(Transient) as caught:
        kube.apply(SERVICE)
    assert "127.0.0.1" not in caught.value.message


def test_an_error_of_the_client_itself_is_transient(kube: ApiKube, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise client.ApiException(status=0, reason="SSLError")

    monkeypatch.setattr(kube._client, "call_api", refuse)
    with pytest.raises(Transient, match="SSLError"):
        kube.apply(SERVICE)
