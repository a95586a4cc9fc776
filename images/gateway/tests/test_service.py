"""The real LiteLLM behind the door, all models well: routes, keys, streams, embeddings, errors, what it touches."""

import json

import httpx
import pytest

from images.gateway.tests.running import ENVIRONMENT, MASTER, MODELS, RAG, USER, Gateway
from images.gateway.tests.upstream import Fault, error

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
OPEN = {"/health/liveliness", "/health/liveness", "/health/readiness", "/metrics"}


def content(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_it_starts_within_a_minute_and_probes_answer(gateway: Gateway) -> None:
    assert gateway.cpu_seconds < 60
    with gateway.client(None) as client:
        assert client.get("/health/liveliness").status_code == 200
        assert client.get("/health/readiness").json()["status"] == "healthy"


@pytest.mark.parametrize(
    ("model", "served"),
    [("chat", "chat"), ("code", "code"), ("chat-7b", "chat"), ("code-7b", "code"), ("coderag", "coderag")],
)
def test_each_model_is_served_by_its_own_server(gateway: Gateway, model: str, served: str) -> None:
    answer = gateway.ask(model)
    assert content(answer) == f"I am {served}"
    assert answer.headers["x-litellm-model-id"] == served


def test_each_server_gets_its_own_key_and_never_the_callers(gateway: Gateway) -> None:
    for model in ("chat", "coderag"):
        gateway.ask(model)
    assert set(gateway.upstreams["chat"].keys) == {"Bearer llama-secret-value"}
    assert set(gateway.upstreams["coderag"].keys) == {"Bearer rag-api-secret-value"}


def test_plain_completions_work(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.post("/v1/completions", json={"model": "code", "prompt": "def f(", "max_tokens": 4})
    assert answer.json()["choices"][0]["text"] == "I am code"


def test_sampling_reaches_the_server_and_control_fields_do_not(gateway: Gateway) -> None:
    gateway.ask("chat", temperature=0.5, seed=7, top_k=3, mock_response="lies", fallbacks=["coderag"])
    sent = gateway.upstreams["chat"].requests[-1]
    assert (sent["temperature"], sent["seed"], sent["top_k"]) == (0.5, 7, 3)
    assert not {"mock_response", "fallbacks"} & set(sent)


def test_a_stream_arrives_before_it_ends(gateway: Gateway) -> None:
    upstream = gateway.upstreams["chat"]
    upstream.release.clear()
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    words = []
    with gateway.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["x-litellm-model-id"] == "chat"
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                words.append(json.loads(line[6:])["choices"][0]["delta"].get("content") or "")
            if "".join(words) == "I am chat":
                upstream.release.set()  # only now may the server end the stream
    assert "".join(words) == "I am chat"


def test_the_openai_client_works_for_answers_and_embeddings(gateway: Gateway) -> None:
    import openai  # only the gateway's own environment is sure to have it

    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=USER, max_retries=0)
    answer = client.chat.completions.create(model="chat-7b", messages=[{"role": "user", "content": "x"}])
    assert answer.choices[0].message.content == "I am chat"
    vectors = client.embeddings.create(model="embedding", input=["a", "bcd"])
    assert [item.embedding for item in vectors.data] == [[1.0, 0.5], [3.0, 0.5]]
    single = client.embeddings.create(model="embedding", input="abcd", encoding_format="float")
    assert single.data[0].embedding == [4.0, 0.5]
    assert {model.id for model in client.models.list()} == {
        "chat",
        "code",
        "chat-7b",
        "code-7b",
        "coderag",
        "embedding",
    }
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0).models.list()
    client.close()


def test_the_rag_key_sees_and_reaches_two_models(gateway: Gateway) -> None:
    assert content(gateway.ask("code", RAG)) == "I am code"
    before = len(gateway.upstreams["coderag"].requests)
    for model in ("coderag", "embedding", "chat-7b"):
        assert gateway.ask(model, RAG).status_code == 403
    assert len(gateway.upstreams["coderag"].requests) == before
    with gateway.client(RAG) as client:
        assert {model["id"] for model in client.get("/v1/models").json()["data"]} == {"chat", "code"}


@pytest.fixture
def routes(unguarded: Gateway) -> list[tuple[str, str]]:
    found = json.loads((unguarded.log.parent / "tmp" / "routes.json").read_text())
    return [(method, path) for method, path in found]


def test_no_route_of_litellm_answers_without_a_key(gateway: Gateway, routes: list[tuple[str, str]]) -> None:
    assert len(routes) > 300
    answered = set()
    extra = [("GET", path) for path in ("/", "/ui/", "/openapi.json", "/routes", "/docs", "/redoc", "/metrics")]
    with gateway.client(None) as client:
        for method, path in [*routes, *extra]:
            status = client.request(method, path).status_code
            if status != 401:
                answered.add((method, path, status))
    assert {path for _, path, _ in answered} <= OPEN


def test_users_reach_no_route_but_the_models(gateway: Gateway, routes: list[tuple[str, str]]) -> None:
    with gateway.client(USER) as client:
        passed = {
            (method, path)
            for method, path in routes
            if method in ("GET", "POST", "PUT", "PATCH", "DELETE") and path not in OPEN
            if client.request(method, path).status_code != 403
        }
    models = {("GET", path) for path in ("/models", "/v1/models")}
    kinds = ("/chat/completions", "/completions", "/embeddings")
    assert passed == models | {("POST", prefix + kind) for prefix in ("", "/v1") for kind in kinds}


def test_answers_on_a_kept_connection_are_not_held_back(gateway: Gateway) -> None:
    with gateway.client(None) as client:
        times = sorted(client.get("/v1/models").elapsed.total_seconds() for _ in range(40))
    assert times[4] < 0.03, "headers and body go out 40 ms apart"


def test_websockets_are_refused(gateway: Gateway) -> None:
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    headers["sec-websocket-key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    with gateway.client(USER) as client:
        assert client.get("/v1/realtime", headers=headers).status_code in (401, 403)


def test_the_master_key_may_do_what_litellm_allows(gateway: Gateway) -> None:
    with gateway.client(MASTER) as client:
        found = client.get("/model/info").json()["data"]
    assert {model["model_info"]["id"] for model in found} == set(MODELS)
    assert content(gateway.ask("coderag", MASTER)) == "I am coderag"


@pytest.mark.parametrize("status", [400, 404, 409])
def test_refusals_of_rag_arrive_with_their_status_and_close_nothing(gateway: Gateway, status: int) -> None:
    refusal = error("Nothing is indexed yet.", "no_repository_indexed", "conflict")
    gateway.upstreams["coderag"].always = (status, refusal)
    for _ in range(6):
        answer = gateway.ask("coderag")
        assert answer.status_code == status
        assert "Nothing is indexed yet." in answer.json()["error"]["message"]
    gateway.upstreams["coderag"].always = None
    assert content(gateway.ask("coderag")) == "I am coderag"


def test_a_422_never_becomes_a_200_with_nothing_in_it(gateway: Gateway) -> None:
    gateway.upstreams["coderag"].always = (422, error("temperature must be a number"))
    plain, streamed = gateway.ask("coderag"), gateway.ask("coderag", stream=True)
    gateway.upstreams["coderag"].always = None
    assert (plain.status_code, plain.json()["error"]["code"]) == (422, "request_refused")
    assert streamed.status_code >= 400 or "error" in streamed.text


def test_a_failing_embedding_service_is_503_and_back_at_once(gateway: Gateway) -> None:
    gateway.upstreams["embedding"].failures = [(503, error("starting"))] * 6
    with gateway.client() as client:
        for _ in range(6):
            answer = client.post("/v1/embeddings", json={"model": "embedding", "input": "x"})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
        assert client.post("/v1/embeddings", json={"model": "embedding", "input": "x"}).status_code == 200


def test_a_full_embedding_queue_stays_a_429(gateway: Gateway) -> None:
    gateway.upstreams["embedding"].failures = [(429, error("queue full"))]
    with gateway.client() as client:
        answer = client.post("/v1/embeddings", json={"model": "embedding", "input": "x"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"


def test_a_prompt_that_is_too_long_is_a_400(gateway: Gateway) -> None:
    with gateway.client() as client:
        body = {"model": "chat", "messages": [{"role": "user", "content": "word " * 9000}]}
        answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_no_key_is_in_the_log(gateway: Gateway) -> None:
    gateway.ask("chat", "not-a-key-but-long-enough-to-find")
    text = gateway.log.read_text()
    secrets = [value for name, value in ENVIRONMENT.items() if name.endswith("KEY")]
    assert [secret for secret in (*secrets, "not-a-key-but-long-enough-to-find") if secret in text] == []


def test_it_writes_only_to_tmp_and_speaks_only_to_its_models(gateway: Gateway) -> None:
    gateway.ask("chat")
    audit = gateway.log.parent / "audit.txt"
    assert (audit.read_text().splitlines() if audit.exists() else []) == []


def test_litellm_has_no_pages_for_browsers_and_copies_none(unguarded: Gateway) -> None:
    with unguarded.client(USER) as client:
        page = client.get("/ui/")
    assert (page.status_code, page.text) == (200, "")


def test_litellm_itself_refuses_too(unguarded: Gateway) -> None:
    assert content(unguarded.ask("chat", RAG)) == "I am chat"
    for model in ("coderag", "embedding"):
        assert unguarded.ask(model, RAG).status_code in (401, 403)
    assert unguarded.upstreams["coderag"].requests == []
    assert unguarded.ask("chat", "wrong-key-wrong-key").status_code == 401
    with unguarded.client(USER) as client:
        assert client.post("/key/generate", json={}).status_code >= 400  # 500: there is no database


def test_the_first_request_finds_loaded_what_takes_long_to_load(unguarded: Gateway) -> None:
    assert content(unguarded.ask("chat")) == "I am chat"
    late = json.loads((unguarded.log.parent / "tmp" / "imports.json").read_text())
    slow = ("openai.", "tiktoken", "litellm.proxy._experimental.", "litellm.litellm_core_utils.default_encoding")
    assert [name for name in late if name.startswith(slow)] == []


def test_what_litellm_loads_is_left_out_of_the_looks_for_garbage(unguarded: Gateway) -> None:
    unguarded.ask("chat")
    objects = json.loads((unguarded.log.parent / "tmp" / "garbage.json").read_text())
    assert objects["looked_through"] < objects["left_out"] / 10, objects


def test_a_stream_that_breaks_off_ends_with_an_error_and_not_in_silence(unguarded: Gateway) -> None:
    unguarded.upstreams["code"].fault = Fault("token", "close")
    answer = unguarded.ask("code", stream=True)
    assert answer.status_code == 200
    assert "data: [DONE]" not in answer.text
    assert 'data: {"error"' in answer.text
