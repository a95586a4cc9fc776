"""Liveness, readiness, /health, /v1/status and /v1/repositories."""

import asyncio

import httpx
import pytest
from coderag_rag.query.guard import DependencyDown


async def test_readiness_says_what_it_waits_for(service, look, monkeypatch):
    async def heads():
        raise DependencyDown("qdrant", "refuses the key")

    monkeypatch.setattr(service.manifests._reader, "heads", heads)
    await look()
    answer = await service.http.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "qdrant: refuses the key")


async def test_readiness_comes_with_the_first_contact_and_stays(service, index, look, monkeypatch):
    assert (await service.http.get("/healthz")).status_code == 200
    assert (await service.http.get("/readyz")).status_code == 503
    await look()
    assert (await service.http.get("/readyz")).status_code == 200

    async def heads():
        raise DependencyDown("qdrant", "not reachable", unreachable=True)

    monkeypatch.setattr(service.manifests._reader, "heads", heads)
    await look()
    assert (await service.http.get("/readyz")).status_code == 200
    report = (await service.http.get("/health")).json()
    assert report["status"] == "degraded"
    assert report["dependencies"]["qdrant"] == {"ok": False, "latency_ms": None, "detail": "not reachable"}


@pytest.mark.parametrize("down", [False, True])
async def test_readiness_waits_for_the_first_look_at_the_embedding_service_however_it_ends(service, embedding, down):
    qdrant, vectors = (one for one in service.health.watches if one.name in ("qdrant", "embedding"))
    embedding.down = down
    await qdrant.look()
    answer = await service.http.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "embedding was not looked at yet")
    await vectors.look()
    assert (await service.http.get("/readyz")).status_code == 200


async def test_a_look_that_fails_in_an_unknown_way_has_ended_too(service, embedding, monkeypatch):
    async def look():
        raise RuntimeError("unknown")

    qdrant, vectors = (one for one in service.health.watches if one.name in ("qdrant", "embedding"))
    monkeypatch.setattr(vectors, "_check", look)
    await vectors.look()
    await qdrant.look()
    assert (await service.http.get("/readyz")).status_code == 200


async def test_health_tells_every_dependency_with_its_latency(service, served):
    report = (await service.http.get("/health")).json()
    assert report["status"] == "ok"
    assert sorted(report["dependencies"]) == ["chat", "embedding", "gateway", "qdrant"]
    for state in report["dependencies"].values():
        assert state["ok"]
        assert state["latency_ms"] >= 0


async def test_a_failing_model_server_is_told(service, served, clients, monkeypatch, look):
    answers = [httpx.Response(503), httpx.ConnectError("x")]

    async def get(_url):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(clients.plain, "get", get)
    for expected in ("its /health answered 503", "not reachable (ConnectError)"):
        await look()
        assert (await service.http.get("/health")).json()["dependencies"]["chat"]["detail"] == expected


async def test_status_compares_the_running_model_with_the_index(service, served):
    status = (await service.http.get("/v1/status")).json()
    assert status["index_compatible"] is True
    assert status["index_identities"] == [status["identity"]]
    assert status["breakers"] == {"qdrant": "closed", "embedding": "closed", "gateway": "closed"}
    assert status["ranking"].startswith("ranking/")


async def test_repositories_are_listed_with_their_sizes(service, served):
    (repository,) = (await service.http.get("/v1/repositories")).json()["repositories"]
    assert (repository["name"], repository["files"], repository["generation"]) == ("app", 4, 1)


async def test_the_running_service_finds_a_new_generation_by_itself(service, index, make_file):
    async with service.running():
        await index.serve("app", make_file("a.py", "x = 1\n"))
        async with asyncio.timeout(10):
            while not (await service.http.get("/v1/repositories")).json()["repositories"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_the_api_describes_itself_to_those_with_a_key(service):
    described = (await service.http.get("/openapi.json")).json()["paths"]
    assert {"/v1/search", "/v1/ask", "/v1/chat/completions", "/v1/repositories", "/v1/status"} <= set(described)
