"""Models that die, hang, refuse and come back. Each test breaks a gateway of its own; cooldown is shorter than in
production so that a test can see its end, everything else is as the example file has it."""

import time
from collections.abc import Callable

import pytest

from images.gateway.tests.running import RAG, Gateway
from images.gateway.tests.upstream import error

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
BOOM = error("boom")


def served_by(gateway: Gateway, model: str = "chat", key: str = RAG) -> str:
    answer = gateway.ask(model, key)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-litellm-model-id"]


def wait_until_served_by(gateway: Gateway, model: str, wanted: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = gateway.ask(model)
        if answer.status_code == 200 and answer.headers["x-litellm-model-id"] == wanted:
            return
        time.sleep(0.2)
    pytest.fail(f"{model} is not served by {wanted} again after {seconds} s")


def test_a_dead_primary_is_stood_in_for_and_one_error_of_the_stand_in_empties_nothing(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(cooldown_time=3)
    assert served_by(gateway) == "chat"
    gateway.upstreams["chat"].stop()
    assert [served_by(gateway) for _ in range(6)] == ["code"] * 6
    assert served_by(gateway, "chat-7b", key="user-key-" + "u" * 32) == "code"
    answer = gateway.ask("chat", stream=True)
    assert (answer.status_code, answer.headers["x-litellm-model-id"]) == (200, "code")

    gateway.upstreams["code"].failures = [(500, BOOM)]
    statuses = [gateway.ask("chat").status_code for _ in range(10)]
    assert statuses.count(503) <= 1
    assert set(statuses[1:]) == {200}

    gateway.upstreams["chat"].start()
    wait_until_served_by(gateway, "chat", "chat")


def test_both_down_is_503_with_retry_after_and_ends_when_one_is_back(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(cooldown_time=3)
    for name in ("chat", "code"):
        gateway.upstreams[name].always = (503, BOOM)
    codes = set()
    for _ in range(12):
        answer = gateway.ask("chat")
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert set(answer.json()["error"]) == {"message", "type", "param", "code", "hint"}
        codes.add(answer.json()["error"]["code"])
    assert codes == {"models_unavailable"}
    assert gateway.ask("chat", "wrong-key-wrong-key").status_code == 401
    assert gateway.ask("coderag", RAG).status_code == 403

    gateway.upstreams["chat"].stop()
    gateway.upstreams["code"].always = None
    wait_until_served_by(gateway, "chat", "code")

    gateway.upstreams["code"].stop()
    refused = [gateway.ask("code") for _ in range(3)]
    assert [answer.status_code for answer in refused] == [503] * 3
    assert all("retry-after" in answer.headers for answer in refused)


def test_a_busy_server_is_stood_in_for_and_two_busy_ones_stay_a_429(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(cooldown_time=3)
    busy = (429, error("Too many requests"))
    gateway.upstreams["chat"].failures = [busy]
    assert served_by(gateway) == "code"
    gateway.upstreams["chat"].failures = [busy]
    gateway.upstreams["code"].failures = [busy]
    answer = gateway.ask("chat")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert gateway.ask("chat").status_code == 200
