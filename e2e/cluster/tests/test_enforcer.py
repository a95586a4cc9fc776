"""The process that keeps the packet filter at what the API says."""

from typing import Any

import pytest

from e2e.cluster import api_client, enforcer
from e2e.cluster.api_client import Loop, collection
from e2e.cluster.enforcer import Enforcer
from e2e.cluster.errors import ClusterError
from e2e.cluster.tests.test_policies import NAMESPACES, PODS, Object, policy


class FakeApi:
    """Lists what it was given."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {"pods": PODS, "namespaces": NAMESPACES, "networkpolicies": []}

    def list(self, resource: str) -> list[Object]:
        return self.objects[resource]


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to nft."""
    texts: list[str] = []
    monkeypatch.setattr(enforcer, "run", lambda *_, text_in, **__: texts.append(text_in))
    return texts


def test_rules_are_applied_when_they_change_and_only_then(applied: list[str]) -> None:
    api = FakeApi()
    process = Enforcer(api)  # type: ignore[arg-type]
    process.enforce()
    process.enforce()
    api.objects["networkpolicies"] = [policy("a", "Ingress")]
    process.enforce()
    assert len(applied) == 2
    assert "ingress_10_244_0_1" in applied[1]


def test_rules_that_could_not_be_applied_are_tried_again(monkeypatch: pytest.MonkeyPatch, applied: list[str]) -> None:
    process = Enforcer(FakeApi())  # type: ignore[arg-type]

    def fail(*_: Any, **__: Any) -> None:
        raise ClusterError("no")

    works = enforcer.run
    monkeypatch.setattr(enforcer, "run", fail)
    with pytest.raises(ClusterError):
        process.enforce()
    monkeypatch.setattr(enforcer, "run", works)
    process.enforce()
    assert len(applied) == 1


def test_a_failed_pass_asks_for_another(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(api_client, "RETRY_SECONDS", 0)

    def fail() -> None:
        raise ClusterError("the API does not answer")

    loop = Loop(FakeApi(), (), fail)  # type: ignore[arg-type]
    loop.attempt()
    assert loop.changed.is_set()
    assert "will try again: the API does not answer" in capsys.readouterr().err


def test_every_resource_is_asked_for_where_it_lives() -> None:
    assert collection("pods") == "/api/v1/pods"
    assert collection("networkpolicies") == "/apis/networking.k8s.io/v1/networkpolicies"
