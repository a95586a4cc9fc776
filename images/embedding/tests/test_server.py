"""The real service with the real model, over HTTP and through the official client."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openai
import psutil
import pytest
from coderag_embedding import build as builds
from coderag_embedding.build import verify
from coderag_embedding.model import load_model

pytestmark = pytest.mark.services
MODEL = "all-MiniLM-L6-v2"
REFERENCE = json.loads((Path(__file__).parent / "minilm_reference.json").read_text())
CHUNK = "def read(path):\n    with open(path) as stream:\n        return stream.read()\n"


def test_both_precisions_match_the_reference_implementation(model_dir):
    cosines = verify(model_dir / builds.NAME)
    assert min(cosines["fp32"]) >= 0.9999
    assert min(cosines["int8"]) >= 0.98


def test_the_served_folder_declares_the_contract(model_dir):
    manifest = load_model(model_dir / MODEL, "int8").manifest
    assert (manifest.dimensions, manifest.max_tokens, manifest.pooling) == (384, 256, "mean")


@pytest.mark.parametrize("encoding", [openai.omit, "float"], ids=["base64 by default", "float"])
def test_the_official_client_gets_the_reference_vectors(server, encoding):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        answer = client.embeddings.create(model=MODEL, input=REFERENCE["texts"], encoding_format=encoding)
    vectors = np.array([item.embedding for item in answer.data], np.float32)
    assert (vectors * np.array(REFERENCE["vectors"])).sum(1).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert answer.usage.prompt_tokens > len(REFERENCE["texts"])


def test_the_official_client_understands_the_refusals(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match=MODEL):
            client.embeddings.create(model="other", input="a")
        with pytest.raises(openai.BadRequestError, match="input"):
            client.embeddings.create(model=MODEL, input="")
        assert [model.id for model in client.models.list()] == [MODEL]
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.embeddings.create(model=MODEL, input="a")


def test_a_text_has_the_same_vector_alone_in_company_and_in_either_lane(server):
    def vectors(texts, **fields):
        with server.client() as client:
            answer = client.post("/v1/embeddings", json={"model": MODEL, "input": texts, **fields})
            return [item["embedding"] for item in answer.json()["data"]]

    (alone,) = vectors([CHUNK])
    company = vectors([CHUNK * n for n in range(1, 6)], input_type="query")
    assert company[0] == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: vectors([CHUNK])[0], range(8))) == [alone] * 8


def test_a_long_text_is_reported_as_truncated(server):
    with server.client() as client:
        answer = client.post("/v1/embeddings", json={"model": MODEL, "input": [CHUNK, CHUNK * 50]}).json()
    assert answer["truncated"] == [1]
    assert answer["usage"]["prompt_tokens"] < 256 + 100


def test_any_text_has_a_finite_vector(server):
    texts = [" ", "\x00", "\U0001f600" * 40, "코드 검색", "\u200b", "a" * 32_768, "\n" * 100]
    with server.client() as client:
        answer = client.post("/v1/embeddings", json={"model": MODEL, "input": texts})
    assert answer.status_code == 200
    assert np.isfinite(np.array([item["embedding"] for item in answer.json()["data"]])).all()


def test_it_lives_before_it_is_ready_and_says_why_it_is_not(start_server, tmp_path):
    server = start_server(MODEL_CACHE_DIR=str(tmp_path))
    server.wait_for("/healthz")
    server.wait_for("/readyz", status=503)
    with server.client() as client:
        while client.get("/model/status").json()["error_message"] is None:
            threading.Event().wait(0.02)
        status = client.get("/model/status").json()
        assert (status["is_loaded"], status["load_time"]) == (False, None)
        assert "model.json is missing" in status["error_message"]
        assert "model.json is missing" in client.get("/readyz").text


def test_a_reload_loses_no_request(server):
    outcomes, stop = [], threading.Event()

    def ask():
        with server.client() as client:
            while not stop.is_set():
                outcomes.append(client.post("/v1/embeddings", json={"model": MODEL, "input": CHUNK}).status_code)

    asker = threading.Thread(target=ask)
    asker.start()
    with server.client() as client:
        statuses = [client.post("/model/reload") for _ in range(2)]
    stop.set()
    asker.join()
    assert [response.status_code for response in statuses] == [200, 200]
    assert statuses[0].json()["is_loaded"]
    assert set(outcomes) == {200}


def test_sigterm_finishes_what_was_asked_and_then_ends(start_server):
    server = start_server()
    server.wait_for("/readyz")
    many = {"model": MODEL, "input": [f"{CHUNK} # {n}" for n in range(64)]}
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/v1/embeddings", json=many)
        with server.client() as other:
            while 'running{lane="passage"} 0.0' in other.get("/metrics").text:
                threading.Event().wait(0.005)
        printed = server.stop()
        assert answer.result().status_code == 200
        assert len(answer.result().json()["data"]) == 64
    lines = [json.loads(line) for line in printed.splitlines()]
    assert any(line["message"] == "Model loaded" and line["level"] == "INFO" for line in lines)
    assert server.key not in printed
    assert server.process.returncode in (0, -15)


def test_bulk_texts_have_the_vectors_of_queries_and_survive_their_process(server):
    body = {"model": MODEL, "input": [f"{CHUNK} # {n}" for n in range(5)]}

    def vectors(client, kind):
        return [
            row["embedding"] for row in client.post("/v1/embeddings", json=body | {"input_type": kind}).json()["data"]
        ]

    with server.client() as client:
        asked = vectors(client, "query")
        assert vectors(client, "passage") == asked
        [child] = psutil.Process(server.process.pid).children()
        child.kill()
        assert vectors(client, "passage") == asked


def test_without_a_key_it_does_not_start(start_server):
    server = start_server(key="")
    printed, _ = server.process.communicate(timeout=30)
    assert server.process.returncode == 1
    assert "EMBEDDING_API_KEY is not set" in printed


def test_it_fits_its_memory_budget(server):
    with server.client() as client:
        client.post("/v1/embeddings", json={"model": MODEL, "input": [CHUNK * 50] * 16})
        assert client.get("/model/status").json()["memory_usage"] < 600
