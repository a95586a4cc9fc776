"""The routes, with a tiny model behind them."""

import asyncio
import base64
import threading

import numpy as np
import pytest

KEYED = [("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("GET", "/model/status"), ("POST", "/model/reload")]
TEXT = {"model": "tiny", "input": "alpha"}


async def test_an_answer_is_that_of_openai_and_lists_what_was_cut(client):
    response = await client.post("/v1/embeddings", json={"model": "tiny", "input": ["alpha", "beta " * 20]})
    assert response.status_code == 200
    assert response.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.0, 1.0, 0.0, 0.0]},
            {"object": "embedding", "index": 1, "embedding": [0.0, 0.0, 6.0, 0.0]},
        ],
        "model": "tiny",
        "usage": {"prompt_tokens": 11, "total_tokens": 11},
        "truncated": [1],
    }


async def test_base64_holds_the_same_numbers(client):
    answer = (await client.post("/v1/embeddings", json=TEXT | {"encoding_format": "base64"})).json()
    vector = np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), "<f4")
    assert vector.tolist() == [0, 1, 0, 0]


async def test_each_kind_of_input_has_its_prompt(serving, model_factory):
    async with serving(lambda: model_factory(query_prompt="beta ", passage_prompt="gamma ")) as client:
        await client.service.manager.load()
        vectors = [
            (await client.post("/v1/embeddings", json=TEXT | {"input_type": kind})).json()["data"][0]["embedding"]
            for kind in ("query", "passage")
        ]
    assert vectors == [[0, 1, 1, 0], [0, 1, 0, 1]]


async def test_the_model_list_has_everything_that_an_identity_is_made_of(client):
    (model,) = (await client.get("/v1/models")).json()["data"]
    assert model == {
        "id": "tiny", "object": "model", "owned_by": "coderag", "revision": "r1", "dimensions": 4, "max_tokens": 8,
        "pooling": "mean", "precision": "int8", "query_prompt": "", "passage_prompt": "", "multilingual": None,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "multilingual"), [("all-MiniLM-L6-v2", False), ("KURE-v1", True)])
async def test_the_model_list_says_whether_a_known_model_is_multilingual(serving, model_factory, name, multilingual):
    async with serving(lambda: model_factory(name=name), MODEL_NAME=name) as client:
        await client.service.manager.load()
        (model,) = (await client.get("/v1/models")).json()["data"]
    assert model["multilingual"] is multilingual


async def test_another_model_is_not_found_and_the_served_one_is_named(client):
    response = await client.post("/v1/embeddings", json=TEXT | {"model": "text-embedding-3-small"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "'tiny'" in error["message"]


async def test_a_model_trained_for_it_gives_shorter_vectors_of_length_one(serving, model_factory):
    async with serving(lambda: model_factory(shortest=2)) as client:
        await client.service.manager.load()
        asked = {"model": "tiny", "input": "[UNK] alpha", "dimensions": 2}
        (item,) = (await client.post("/v1/embeddings", json=asked)).json()["data"]
        assert item["embedding"] == pytest.approx([0.5**0.5] * 2)
        refused = await client.post("/v1/embeddings", json=asked | {"dimensions": 1})
        assert "makes 2 to 4, not 1" in refused.json()["error"]["message"]


async def test_a_repeated_query_is_computed_once(client):
    asked = TEXT | {"input_type": "query"}
    answers = await asyncio.gather(*(client.post("/v1/embeddings", json=asked) for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert client.service.cache.misses == 1
    assert 'coderag_embedding_query_cache_total{outcome="miss"} 1.0' in (await client.get("/metrics")).text


async def test_a_lazy_service_is_ready_and_loads_when_first_asked(serving, model_factory):
    async with serving(model_factory, MODEL_LOAD="lazy") as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/health")).json()["dependencies"]["model"]["detail"] == "waits for the first request"
        assert (await client.get("/model/status")).json()["is_loaded"] is False
        assert (await client.post("/v1/embeddings", json=TEXT)).status_code == 200
        assert (await client.get("/model/status")).json()["is_loaded"] is True


async def test_a_fallback_never_answers_under_the_first_models_name(serving, model_factory, monkeypatch):
    monkeypatch.setattr("coderag_embedding.app._loader", lambda settings, name: lambda: model_factory(name=name))

    def fail():
        raise OSError("no volume")

    async with serving(fail, MODEL_FALLBACK="second") as client:
        for _attempt in range(2):
            failed = await client.post("/model/reload")
            assert failed.json()["error"]["hint"].startswith("The fallback serves.")
        refused = await client.post("/v1/embeddings", json=TEXT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_not_loaded")
        assert "no volume; second serves in its place" in refused.json()["error"]["message"]
        assert (await client.post("/v1/embeddings", json=TEXT | {"model": "second"})).status_code == 200
        assert (await client.get("/v1/models")).json()["data"][0]["id"] == "second"
        assert (await client.get("/health")).json()["status"] == "degraded"


async def test_on_a_gpu_texts_are_computed_together(serving, model_factory):
    async with serving(model_factory, MODEL_DEVICE="cuda") as client:
        await client.service.manager.load()
        many = {"model": "tiny", "input": ["alpha", "beta beta", "gamma"]}
        vectors = [one["embedding"] for one in (await client.post("/v1/embeddings", json=many)).json()["data"]]
        client.service.manager.model.embed_together = lambda *_: 1 / 0
        again = [one["embedding"] for one in (await client.post("/v1/embeddings", json=many)).json()["data"]]
    assert vectors == again == [[0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]


async def test_only_the_models_own_length_can_be_asked_for(client):
    assert (await client.post("/v1/embeddings", json=TEXT | {"dimensions": 4})).status_code == 200
    response = await client.post("/v1/embeddings", json=TEXT | {"dimensions": 3})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "dimensions")


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer wrong", "Basic {key}", "{key}", "Bearer {key}x", "Bearer \xe9"]
)
@pytest.mark.parametrize(("method", "path"), KEYED)
async def test_no_content_and_no_compute_without_the_key(client, method, path, header):
    key = client.headers.pop("authorization").removeprefix("Bearer ")
    headers = {} if header is None else {"authorization": header.format(key=key).encode("latin-1")}
    response = await client.request(method, path, json=TEXT, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert response.headers["www-authenticate"] == "Bearer"
    assert key not in response.text


async def test_the_scheme_is_read_in_any_case(client):
    client.headers["authorization"] = client.headers["authorization"].replace("Bearer", "bearer")
    assert (await client.get("/v1/models")).status_code == 200


async def test_without_a_key_of_its_own_it_serves_anyone(serving, model_factory):
    async with serving(model_factory, EMBEDDING_API_KEY="", EMBEDDING_ALLOW_ANONYMOUS="true") as client:
        await client.service.manager.load()
        del client.headers["authorization"]
        assert (await client.post("/v1/embeddings", json=TEXT)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/v1"])
async def test_there_is_no_other_route(client, path):
    response = await client.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "route_not_found")


async def test_a_wrong_method_has_the_error_object_too(client):
    response = await client.get("/v1/embeddings")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_while_the_model_loads_the_process_lives_and_is_not_ready(serving, model_factory):
    gate = threading.Event()
    async with serving(lambda: gate.wait(20) and model_factory()) as client:
        try:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.headers["retry-after"]) == (503, "2")
            assert "still loading" in ready.json()["error"]["message"]
            assert (await client.post("/v1/embeddings", json=TEXT)).status_code == 503
            assert (await client.get("/v1/models")).status_code == 503
            assert (await client.get("/model/status")).json()["is_loaded"] is False
            health = (await client.get("/health")).json()
            assert health["status"] == "degraded"
            assert health["dependencies"]["model"] == {"ok": False, "latency_ms": None, "detail": "loading"}
        finally:
            gate.set()
        await client.service.manager.load()
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/health")).json()["status"] == "ok"


async def test_a_model_that_cannot_be_loaded_is_told_and_repaired_without_a_restart(serving, model_factory):
    broken = True

    def loader():
        if broken:
            raise ValueError("model.json is missing")
        return model_factory()

    async with serving(loader) as client:
        failed = await client.post("/model/reload")
        assert (failed.status_code, failed.json()["error"]["code"]) == (503, "model_load_failed")
        assert "model.json is missing" in (await client.get("/readyz")).json()["error"]["message"]
        assert "model.json is missing" in (await client.get("/model/status")).json()["error_message"]
        assert (await client.get("/healthz")).status_code == 200
        broken = False
        repaired = await client.post("/model/reload")
        assert (repaired.status_code, repaired.json()["is_loaded"]) == (200, True)
        assert (await client.get("/readyz")).status_code == 200
        broken = True
        again = await client.post("/model/reload")
        assert "The earlier load still serves" in again.json()["error"]["hint"]
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/v1/embeddings", json=TEXT)).status_code == 200


async def test_a_full_queue_answers_429_with_a_time(serving, model_factory):
    model, gate = model_factory(), threading.Event()
    model.embed = lambda *_: gate.wait(20)
    async with serving(lambda: model, EMBEDDING_QUEUE_LIMIT="256") as client:
        await client.service.manager.load()
        many = {"model": "tiny", "input": ["alpha " * 4000] * 200}
        waiting = asyncio.create_task(client.post("/v1/embeddings", json=many))
        while not client.service.lanes.running("passage"):  # noqa: ASYNC110  a gauge has no event
            await asyncio.sleep(0.001)
        response = await client.post("/v1/embeddings", json=many)
        assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
        assert int(response.headers["retry-after"]) >= 1
        metrics = (await client.get("/metrics")).text
        assert 'coderag_embedding_rejected_requests_total{lane="passage"} 1.0' in metrics
        assert 'coderag_embedding_queue_depth{lane="passage"}' in metrics
        lanes = client.service.lanes
        assert lanes.depth("passage") + lanes.running("passage") == 200
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.set()


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused(client, monkeypatch, declared):
    monkeypatch.setattr("coderag_embedding.routes.MAX_BODY_BYTES", 100)

    async def parts():
        for _ in range(20):
            yield b" " * 10

    response = await client.post("/v1/embeddings", content=b" " * 101 if declared else parts())
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


async def test_an_unexpected_failure_is_an_error_object_without_details(serving, model_factory, caplog):
    model = model_factory()
    model.embed = lambda *_: 1 / 0
    async with serving(lambda: model) as client:
        await client.service.manager.load()
        response = await client.post("/v1/embeddings", json=TEXT)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "division" not in response.text
    assert "ZeroDivisionError" in caplog.text


async def test_metrics_count_what_was_done_and_name_no_unknown_path(client):
    await client.post("/v1/embeddings", json={"model": "tiny", "input": ["alpha", "beta " * 20], "input_type": "query"})
    await client.get("/secret/path")
    text = (await client.get("/metrics")).text
    for line in (
        'coderag_embedding_requests_total{route="/v1/embeddings",status="200"} 1.0',
        'coderag_embedding_requests_total{route="other",status="404"} 1.0',
        'coderag_embedding_texts_total{lane="query"} 2.0',
        'coderag_embedding_tokens_total{lane="query"} 11.0',
        'coderag_embedding_truncated_texts_total{lane="query"} 1.0',
        "coderag_embedding_model_loaded 1.0",
        'coderag_embedding_queue_depth{lane="query"} 0.0',
        'coderag_embedding_request_seconds_count{route="/v1/embeddings"} 1.0',
    ):
        assert line in text
    assert "secret" not in text


async def test_the_log_has_the_route_and_never_the_text_or_the_key(client, caplog):
    caplog.set_level("INFO")
    await client.post("/v1/embeddings?token=hidden", json=TEXT)
    (record,) = [one for one in caplog.records if one.name == "coderag_embedding.access"]
    assert (record.route, record.status, record.method) == ("/v1/embeddings", 200, "POST")
    assert "hidden" not in str(vars(record))
    assert "alpha" not in str(vars(record))
