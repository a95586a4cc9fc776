"""The worker put together from its settings: it starts without its dependencies, says so, and ends cleanly."""

import json
import signal

import httpx
import pytest
from coderag_rag.env import Environment
from coderag_rag.ingestion import __main__ as program
from coderag_rag.ingestion.service import build_app, build_sources, embedding_clients
from coderag_rag.ingestion.settings import Settings
from coderag_rag.ingestion.source import Key


@pytest.fixture
def environment(tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token").write_text("t0ken")
    row = {"name": "app", "url": "https://127.0.0.1:1/app.git", "ref": "main", "schedule": "*/15 * * * *"}
    row["credentialsDir"] = str(tmp_path / "secret")
    (tmp_path / "ingestion.json").write_text(json.dumps({"repositories": [row]}))
    values = {
        "INGESTION_CONFIG": str(tmp_path / "ingestion.json"),
        "INGESTION_API_KEY": "key",
        "QDRANT_URL": "http://127.0.0.1:1",
        "QDRANT_RETRY_MIN_WAIT": "0",
        "QDRANT_RETRY_MAX_WAIT": "0",
        "EMBEDDING_URL": "http://127.0.0.1:1",
        "WORK_DIR": str(tmp_path / "work"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


async def test_it_starts_without_its_dependencies_and_says_what_is_missing(environment, tmp_path):
    app = build_app(Settings.read(Environment(environment)), tmp_path)
    transport = httpx.ASGITransport(app)
    headers = {"authorization": "Bearer key"}
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        status = (await client.get("/v1/status", headers=headers)).json()
        assert (await client.get("/v1/status")).status_code == 401
    assert (status["identity"], status["served"]) == (None, None)
    assert status["repositories"][0]["state"] == "Pending"


def test_each_repository_has_its_own_copy_and_credentials(environment, tmp_path):
    _, source = build_sources(Settings.read(Environment(environment)), tmp_path)[Key("app", "main")]
    assert (source.name, source.ref) == ("app", "main")
    assert (tmp_path / "askpass").stat().st_mode & 0o777 == 0o700


def test_the_program_serves_on_the_given_port_and_ends_with_zero(environment, monkeypatch):
    served = {}
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("LISTEN_PORT", "18999")
    monkeypatch.setattr(program, "configure_logging", lambda level: None)
    monkeypatch.setattr(program.uvicorn, "run", lambda app, **options: served.update(options, app=app))
    try:
        assert program.main() == 0
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 0
    assert (served["port"], served["host"]) == (18999, "0.0.0.0")


async def test_a_webhook_needs_its_secret_and_a_former_model_gets_a_client(environment, tmp_path):
    secret = tmp_path / "webhook"
    secret.write_text("s3cret")
    row = {"name": "app", "url": "https://127.0.0.1:1/app.git", "ref": "main", "refs": ["v1"], "schedule": None}
    body = {"repositories": [row | {"webhookSecretFile": str(secret)}]}
    (tmp_path / "ingestion.json").write_text(json.dumps(body))
    settings = Settings.read(Environment(environment | {"EMBEDDING_PREVIOUS_URL": "http://127.0.0.1:2"}))
    assert len(embedding_clients(settings)) == 2
    assert set(build_sources(settings, tmp_path)) == {Key("app", "main"), Key("app", "v1")}
    transport = httpx.ASGITransport(build_app(settings, tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        push, token = {"ref": "refs/heads/v1"}, {"x-gitlab-token": "s3cret"}
        assert (await client.post("/v1/webhooks/app", json=push)).status_code == 401
        assert (await client.post("/v1/webhooks/app", json=push, headers=token)).json()["refs"] == ["v1"]
