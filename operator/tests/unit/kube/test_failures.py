"""An HTTP answer becomes what the operator does about it."""

import json
from typing import Any

import pytest
from coderag_operator.errors import Blocked, Failure, Terminal, Transient, Unserved, Vanished
from coderag_operator.kube.failures import LIMIT, classify

TERMINATING = {"reason": "Forbidden", "message": "no", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (409, {"reason": "Conflict"}, Transient, "Conflict"),
        (409, {"reason": "AlreadyExists"}, Transient, "AlreadyExists"),
        (429, {}, Transient, "Http429"),
        (500, {"reason": "InternalError"}, Transient, "InternalError"),
        (503, "not json", Transient, "Http503"),
        (504, [], Transient, "Http504"),
        (404, {"reason": "NotFound", "details": {"name": "demo", "kind": "services"}}, Vanished, "NotFound"),
        (404, {"reason": "NotFound", "details": {"name": "team", "kind": "namespaces"}}, Vanished, "NotFound"),
        (404, {"reason": "NotFound", "details": {}}, Unserved, "NotServed"),
        (404, "404 page not found", Unserved, "NotServed"),
        (403, TERMINATING, Vanished, "Forbidden"),
        (403, {"reason": "Forbidden", "message": "exceeded quota"}, Blocked, "Forbidden"),
        (401, {}, Blocked, "Http401"),
        (422, {"reason": "Invalid", "message": "spec.x"}, Terminal, "Invalid"),
        (400, {"reason": "BadRequest"}, Terminal, "BadRequest"),
        (418, None, Terminal, "Http418"),
    ],
)
def test_every_answer_has_its_kind(status: int, body: Any, kind: type[Failure], reason: str) -> None:
    failure = classify(status, body if isinstance(body, str) or body is None else json.dumps(body))
    assert type(failure) is kind
    assert failure.reason == reason
    assert failure.message


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("", None)])
def test_the_wish_of_the_api_server_is_kept(header: str, seconds: float | None) -> None:
    failure = classify(429, "{}", {"Retry-After": header})
    assert isinstance(failure, Transient)
    assert failure.retry_after == seconds


def test_a_long_message_is_cut() -> None:
    assert len(classify(422, json.dumps({"message": "x" * 9999})).message) == LIMIT
