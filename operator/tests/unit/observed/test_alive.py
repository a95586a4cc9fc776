"""What the pods of a stack tell together."""

from typing import Any

import pytest
from coderag_operator.observed import project
from coderag_operator.observed.alive import find_asking
from coderag_operator.observed.child import Child


def pod(component: str = "rag", *, asks: bool = False, ready: bool = True, **metadata: Any) -> Child:
    labels = {"app.kubernetes.io/component": component} | ({"coderag.dev/asks-previous": "true"} if asks else {})
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return project({"kind": "Pod", "metadata": {"name": "x", "labels": labels, **metadata}, "status": status})


@pytest.mark.parametrize(
    ("pods", "asking"),
    [
        ([], set()),
        ([pod(asks=True), pod(asks=True)], {True}),
        ([pod(asks=True), pod()], {True, False}),
        ([pod(asks=True, ready=False), pod()], {False}),
        ([pod("ingestion", asks=True), pod()], {False}),
        ([pod(asks=True, deletionTimestamp="2026-01-01T00:00:00Z"), pod()], {True, False}),
    ],
    ids=["none", "all", "some", "not ready", "another component", "on its way out"],
)
def test_the_search_pods_that_take_requests_tell_whether_they_ask_the_model_before(
    pods: list[Child], asking: set[bool]
) -> None:
    assert find_asking(pods) == asking
