"""A repository that is not permitted does not exist: not in hits, lists, counts, prompts or errors."""

import json

import pytest
from coderag_rag.api.access import permitted
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.weights import VERSION
from qdrant_client import models


@pytest.fixture
async def secret(served, make_file, look):
    await served.serve("web", make_file("web/retry.py", "def web_retry(): pass\n", ("web_retry",)))
    copy = make_file("secret/queue.py", "class Hidden:\n    def retry(self): pass\n", ("Hidden", "Hidden.retry"))
    text = "def plan(desired, observed):\n    return apply_or_prune(desired, observed)\n"
    shared = make_file("secret/plan.py", text, ("plan",))
    await served.serve("secret", copy, shared)
    of_plan = models.Filter(must=[models.FieldCondition(key="blob", match=models.MatchValue(value=shared.blob))])
    await served.client.set_payload(served.name, {"repositories": ["app", "secret"]}, points=of_plan)
    await look()
    return served


@pytest.fixture
def only_app(service):
    service.app.dependency_overrides[permitted] = lambda: Permit.only(["app", "web"])


REQUESTS = [
    ("POST", "/v1/search", {"query": "Hidden.retry", "limit": 50}),
    ("POST", "/v1/search", {"query": "secret/queue.py"}),
    ("POST", "/v1/search", {"query": "plan", "paths": ["secret"]}),
    ("POST", "/v1/search", {"query": "plan", "repositories": ["secret"]}),
    ("POST", "/v1/search", {"query": "plan", "refs": ["nope"]}),
    ("POST", "/v1/ask", {"question": "what does Hidden.retry do", "limit": 50}),
    ("POST", "/v1/ask", {"question": "Hidden.retry", "repositories": ["secret"]}),
    ("POST", "/v1/chat/completions", {"model": "coderag", "messages": [{"role": "user", "content": "Hidden.retry"}]}),
    ("GET", "/v1/repositories", None),
    ("GET", "/v1/status", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route", "body"), REQUESTS)
async def test_what_is_not_permitted_is_nowhere(service, secret, only_app, gateway, method, route, body):
    answer = await service.http.request(method, route, json=body)
    told = answer.text + json.dumps(gateway.requests)
    asked = json.dumps(body or {})
    assert "class Hidden" not in told
    assert "secret/queue.py" not in told.replace(asked, "")
    if "repositories" in (body or {}):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "repository_not_found")
        assert answer.json()["error"]["hint"] == "served now: app, web"
    elif answer.status_code == 200:
        assert "secret" not in json.dumps(answer.json())


async def test_shared_content_shows_its_permitted_place_only(service, secret, only_app):
    hits = (await service.http.post("/v1/search", json={"query": "plan"})).json()["hits"]
    assert {(hit["path"], len(hit["also_at"])) for hit in hits if "plan" in hit["symbols"]} == {("operator/plan.py", 0)}


async def test_without_any_permitted_repository_nothing_is_indexed(service, served):
    service.app.dependency_overrides[permitted] = lambda: Permit.only([])
    answer = await service.http.post("/v1/search", json={"query": "retry"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_repository_indexed")


async def test_permits_are_keys_of_caches():
    assert len({EVERYTHING, Permit.only(["a"]), Permit.only(["a", "b"]), Permit.only(["b", "a"]), Permit.only([])}) == 4
    assert await permitted() is EVERYTHING


async def test_every_answer_tells_freshness_degradation_and_ranking(service, served):
    fresh = {"name": "app", "ref": "main", "commit": f"{1:040x}", "indexed_at": "2026-01-01T00:00:00Z"}
    messages = [{"role": "user", "content": "retry"}]
    for route, body in (
        ("/v1/search", {"query": "retry"}),
        ("/v1/ask", {"question": "retry"}),
        ("/v1/chat/completions", {"model": "coderag", "messages": messages}),
    ):
        answer = (await service.http.post(route, json=body)).json()
        assert (answer["repositories"], answer["degraded"], answer["ranking"]) == ([fresh], [], VERSION)
    assert (await service.http.post("/v1/search", json={"query": "retry"})).json()["query_class"] == "symbol"


async def test_lists_say_when_they_are_what_was_known_last(service, served):
    assert (await service.http.get("/v1/repositories")).json()["degraded"] == []
    service.breakers["qdrant"].trip("not reachable")
    assert (await service.http.get("/v1/repositories")).json()["degraded"] == ["qdrant"]
    assert (await service.http.get("/v1/status")).json()["degraded"] == ["qdrant"]
