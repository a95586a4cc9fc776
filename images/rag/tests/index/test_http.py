"""What both services answer whatever the route: keys, errors, health, metrics, logs."""

import asyncio
import json
import logging

import httpx
import pytest
from coderag_rag.http import health as health_module
from coderag_rag.http.app import create_app
from coderag_rag.http.auth import BearerAuth
from coderag_rag.http.errors import ApiError
from coderag_rag.http.health import Health
from coderag_rag.http.logs import configure_logging
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

KEY = {"authorization": "Bearer secret"}


class Body(BaseModel):
    limit: int


@pytest.fixture
def health():
    return Health()


@pytest.fixture
async def client(health):
    app = create_app("test", keys=["other", "secret"], health=health, registry=CollectorRegistry())

    @app.post("/limit")
    async def limit(body: Body) -> int:
        return body.limit

    @app.get("/busy")
    async def busy() -> None:
        raise ApiError(503, "down", code="qdrant_unavailable", hint="wait")

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("secret detail")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("path", ["/limit", "/docs", "/openapi.json", "/nothing", "/healthz/", "//healthz"])
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic secret", "Bearer sécret"])
async def test_nothing_is_told_without_a_key(client, path, header):
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_each_key_opens(client):
    for key in ("other", "secret"):
        assert (await client.get("/openapi.json", headers={"authorization": f"Bearer {key}"})).status_code == 200


@pytest.mark.parametrize("keys", [[], [""], ["a", ""]])
def test_an_empty_key_is_refused_at_the_start(keys):
    with pytest.raises(ValueError, match="at least one key"):
        BearerAuth(None, keys)


async def test_a_wrong_value_names_the_field(client):
    answer = await client.post("/limit", headers=KEY, json={"limit": "many"})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["type"]) == (400, "limit", "invalid_request_error")
    assert error["message"].startswith("limit: ")


async def test_a_body_that_is_no_json_is_the_callers_fault(client):
    answer = await client.post("/limit", headers=KEY, content=b"{")
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code", "hint"}


async def test_a_dependency_that_is_down_says_when_to_come_back(client):
    answer = await client.get("/busy", headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["type"] == "server_error"


async def test_an_unforeseen_error_tells_the_caller_nothing(client, caplog):
    answer = await client.get("/broken", headers=KEY)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


async def test_unknown_routes_and_methods_have_the_error_object(client):
    assert (await client.get("/nothing", headers=KEY)).json()["error"]["code"] == "route_not_found"
    assert (await client.get("/limit", headers=KEY)).json()["error"]["code"] == "method_not_allowed"


async def test_readiness_waits_for_the_start_and_stays(client, health):
    health.waiting_for("qdrant")
    for path in ("/readyz", "/health"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, "qdrant")
    assert (await client.get("/healthz")).status_code == 200
    health.mark_ready()

    async def down():
        raise ConnectionError("refused")

    health.add_check("qdrant", down)
    assert (await client.get("/readyz")).status_code == 200


async def test_health_reports_each_dependency(client, health, monkeypatch):
    async def up():
        return None

    async def down():
        raise ConnectionError("refused")

    async def silent():
        await asyncio.Event().wait()

    health.mark_ready()
    health.add_check("up", up)
    assert (await client.get("/health")).json()["status"] == "ok"
    monkeypatch.setattr(health_module, "_CHECK_SECONDS", 0.01)
    health.add_check("down", down)
    health.add_check("silent", silent)
    report = (await client.get("/health")).json()
    assert report["status"] == "degraded"
    assert report["dependencies"]["up"]["ok"] is True
    assert report["dependencies"]["down"] == {"ok": False, "latency_ms": None, "detail": "ConnectionError: refused"}
    assert report["dependencies"]["silent"]["detail"] == "no answer in 0.01 s"


async def test_metrics_label_routes_and_never_raw_paths(client):
    await client.get("/private/path", headers=KEY)
    await client.get("/private/path")
    await client.post("/limit", headers=KEY, json={"limit": 1})
    text = (await client.get("/metrics")).text
    assert 'coderag_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'coderag_http_requests_total{method="GET",route="unmatched",status="401"} 1.0' in text
    assert 'coderag_http_requests_total{method="POST",route="/limit",status="200"} 1.0' in text
    assert "private" not in text


def test_logs_are_one_json_object_a_line(capsys):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("info")
        logging.getLogger("part").info("done", extra={"repository": "app"})
    finally:
        root.handlers[:], root.level = before, level
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["logger"], line["message"], line["repository"]) == ("INFO", "part", "done", "app")
