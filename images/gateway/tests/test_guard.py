"""The door, in front of an application that only records what reaches it."""

import json
from typing import Any

import httpx
import pytest
from coderag_gateway import guard as guard_module
from coderag_gateway.callers import Callers
from coderag_gateway.drain import Drain
from coderag_gateway.guard import Guard
from coderag_gateway.settings import read_settings
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

KEYS = {"LITELLM_MASTER_KEY": "m" * 32, "API_KEY": "u" * 32, "RAG_GATEWAY_KEY": "r" * 32}
MASTER, USER, RAG = KEYS.values()
CHAT = {"model": "chat", "messages": []}


class Inner:
    """Stands where LiteLLM stands."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.response: Response = JSONResponse({"ok": True})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            seen = {"path": scope["path"], "query": scope["query_string"], "headers": dict(request.headers)}
            self.seen.append(seen | {"body": await request.body()})
            await self.response(scope, receive, send)
        else:
            self.seen.append({"type": scope["type"]})


@pytest.fixture
def inner() -> Inner:
    return Inner()


def build_guard(inner: Inner, drain: Drain | None = None) -> Guard:
    return Guard(inner, Callers(read_settings(KEYS)), drain or Drain(0))


async def call(inner: Inner | Guard, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
    headers = {**options.pop("headers", {}), **({"authorization": f"Bearer {key}"} if key else {})}
    transport = httpx.ASGITransport(inner if isinstance(inner, Guard) else build_guard(inner))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.request(method, path, headers=headers, **options)


@pytest.mark.parametrize("path", ["/", "/ui/", "/openapi.json", "/routes", "/metrics/", "/health", "/v1/models", "//"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"api-key": USER}, {"x-api-key": MASTER}])
async def test_nothing_passes_without_a_key(inner: Inner, path: str, headers: dict[str, str]) -> None:
    answer = await call(inner, "GET", path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert inner.seen == []


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness", "/health/readiness"])
async def test_probes_need_no_key(inner: Inner, path: str) -> None:
    assert (await call(inner, "GET", path)).status_code == 200
    assert (await call(inner, "POST", path)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/key/generate"),
        ("POST", "/model/new"),
        ("GET", "/config/yaml"),
        ("GET", "/health"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/engines/coderag/chat/completions"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/models"),
    ],
)
@pytest.mark.parametrize("key", [USER, RAG])
async def test_users_reach_no_other_route(inner: Inner, method: str, path: str, key: str) -> None:
    answer = await call(inner, method, path, key, json=CHAT)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "route_not_allowed"
    assert inner.seen == []


async def test_the_master_key_reaches_everything_unchanged(inner: Inner) -> None:
    assert (await call(inner, "POST", "/model/new?a=1", MASTER, json={"any": 1})).status_code == 200
    assert (inner.seen[0]["query"], json.loads(inner.seen[0]["body"])) == (b"a=1", {"any": 1})


@pytest.mark.parametrize(
    ("key", "model", "status"),
    [
        *((USER, model, 200) for model in ("chat", "code", "chat-7b", "code-7b", "coderag", "embedding")),
        *((RAG, model, 200) for model in ("chat", "code")),
        *((RAG, model, 403) for model in ("coderag", "embedding", "chat-7b")),
        *((RAG, model, 404) for model in ("chat,coderag", "CODERAG", " chat")),
        (USER, "openai/gpt", 404),
    ],
)
async def test_a_key_reaches_its_models_only(inner: Inner, key: str, model: str, status: int) -> None:
    answer = await call(inner, "POST", "/v1/chat/completions", key, json={**CHAT, "model": model})
    assert answer.status_code == status
    assert len(inner.seen) == (status == 200)
    if status != 200:
        code = {403: "model_not_allowed", 404: "model_not_found"}[status]
        assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, "model")


async def test_what_controls_litellm_is_taken_out(inner: Inner) -> None:
    body = {**CHAT, "fallbacks": ["coderag"], "é": 1, "temperature": 0}
    headers = {"x-litellm-timeout": "9", "X-LiteLLM-Tags": "a", "x-other": "kept", "content-type": "text/plain"}
    answer = await call(
        inner, "POST", "/chat/completions?model=coderag", RAG, content=json.dumps(body), headers=headers
    )
    seen = inner.seen[0]
    assert answer.headers["x-coderag-dropped-params"] == r"fallbacks,\xe9"
    assert json.loads(seen["body"]) == {**CHAT, "temperature": 0}
    assert (seen["query"], seen["headers"]["content-type"]) == (b"", "application/json")
    assert seen["headers"]["content-length"] == str(len(seen["body"]))
    assert "x-other" in seen["headers"]
    assert not any(name.startswith("x-litellm") for name in seen["headers"])


async def test_a_bad_or_huge_body_never_reaches_litellm(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await call(inner, "POST", "/v1/completions", USER, content=b"{")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    monkeypatch.setattr(guard_module, "MAX_BODY", 10)
    assert (await call(inner, "POST", "/v1/completions", USER, json=CHAT)).status_code == 413
    assert inner.seen == []


async def test_a_field_of_the_wrong_form_is_a_400_that_names_it(inner: Inner) -> None:
    answer = await call(inner, "POST", "/v1/chat/completions", USER, json={"model": "coderag", "messages": 3})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages")
    answer = await call(inner, "POST", "/v1/chat/completions", USER, json={"model": "chat"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages")
    assert inner.seen == []


async def test_an_error_is_reworded_and_a_stream_is_not_held_back(inner: Inner) -> None:
    inner.response = JSONResponse({"error": {"message": "boom"}}, 500, {"x-litellm-call-id": "1"})
    answer = await call(inner, "POST", "/v1/completions", USER, json=CHAT)
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-litellm-call-id"]) == (503, "5", "1")
    assert int(answer.headers["content-length"]) == len(answer.content)

    async def words() -> Any:
        for word in (b"a", b"b"):
            yield word

    inner.response = StreamingResponse(words(), 200)
    assert (await call(inner, "POST", "/v1/completions", USER, json=CHAT)).content == b"ab"
    inner.response = JSONResponse({"error": {}}, 429, {"llm_provider-retry-after": "7"})
    assert (await call(inner, "POST", "/v1/completions", USER, json=CHAT)).headers["retry-after"] == "7"
    inner.response = JSONResponse(None)
    assert (await call(inner, "POST", "/v1/completions", USER, json=CHAT)).status_code == 422
    inner.response = StreamingResponse(words(), 418)
    answer = await call(inner, "POST", "/v1/completions", USER, json=CHAT)
    assert (answer.status_code, answer.content) == (418, b"ab")


async def test_websockets_are_closed_and_lifespan_passes(inner: Inner) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guard = build_guard(inner)
    await guard({"type": "websocket", "path": "/v1/realtime"}, None, send)
    await guard({"type": "lifespan"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert inner.seen == [{"type": "lifespan"}]


async def test_litellm_hears_of_a_client_that_goes_away() -> None:
    waiting = [{"type": "http.disconnect"}]

    async def receive() -> Any:
        return waiting.pop()

    given = guard_module.replay(b"body", receive)
    assert [(await given())["type"], (await given())["type"]] == ["http.request", "http.disconnect"]


async def test_the_figures_name_models_and_nothing_else(inner: Inner) -> None:
    guard = build_guard(inner)
    inner.response = JSONResponse({}, headers={"x-litellm-model-id": "code", "x-litellm-attempted-fallbacks": "1"})
    await call(guard, "POST", "/v1/completions", USER, json={**CHAT, "prompt": "a secret"})
    inner.response = JSONResponse({"error": {}}, 500)
    await call(guard, "POST", "/v1/completions", USER, json=CHAT)
    await call(guard, "POST", "/v1/completions", USER, json={"model": "openai/gpt"})
    answer = await call(guard, "GET", "/metrics")
    counted = [line for line in answer.text.splitlines() if line.startswith("coderag_gateway_requests_total{")]
    assert sorted(counted) == [
        'coderag_gateway_requests_total{model="chat",served_by="code",fallback="yes",status="2xx"} 1',
        'coderag_gateway_requests_total{model="chat",served_by="none",fallback="no",status="5xx"} 1',
    ]
    assert 'coderag_gateway_request_seconds_count{model="chat",served_by="code"} 1\n' in answer.text
    assert 'coderag_gateway_request_seconds_bucket{model="chat",served_by="code",le="+Inf"} 1\n' in answer.text
    assert "coderag_gateway_requests_in_flight 0\n" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert not any(text in answer.text for text in (USER, "secret", "gpt"))
    assert (await call(guard, "POST", "/metrics")).status_code == 401


async def test_an_error_inside_a_stream_says_no_more_than_that(inner: Inner) -> None:
    async def words() -> Any:
        yield b'data: {"choices": []}\n\n'
        yield b'data: {"error": {"message": "litellm.APIError: http://demo-chat:8001", "code": "500"}}\n\n'

    guard = build_guard(inner)
    inner.response = StreamingResponse(words(), 200, {"x-litellm-model-id": "chat"})
    answer = await call(guard, "POST", "/v1/chat/completions", USER, json={**CHAT, "stream": True})
    first, second = answer.text.split("\n\n")[:2]
    error = json.loads(second.removeprefix("data: "))["error"]
    assert first == 'data: {"choices": []}'
    assert (error["type"], error["code"], error["param"]) == ("service_unavailable_error", "stream_interrupted", None)
    assert "demo-chat" not in answer.text
    interrupted = 'coderag_gateway_streams_interrupted_total{model="chat",served_by="chat"} 1\n'
    assert interrupted in (await call(guard, "GET", "/metrics")).text


async def test_a_caller_that_goes_away_is_counted_too(inner: Inner) -> None:
    async def vanish(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionResetError

    guard = build_guard(inner)
    inner.response = vanish  # type: ignore[assignment]
    with pytest.raises(ConnectionResetError):
        await call(guard, "POST", "/v1/completions", USER, json=CHAT)
    counted = 'coderag_gateway_requests_total{model="chat",served_by="none",fallback="no",status="none"} 1\n'
    assert counted in (await call(guard, "GET", "/metrics")).text


async def test_while_draining_it_is_not_ready_but_alive_and_answers_and_closes(inner: Inner) -> None:
    drain = Drain(3600)
    guard = build_guard(inner, drain)
    assert "connection" not in (await call(guard, "POST", "/v1/completions", USER, json=CHAT)).headers
    drain.begin()
    ready = await call(guard, "GET", "/health/readiness")
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert (await call(guard, "GET", "/health/liveliness")).status_code == 200
    answer = await call(guard, "POST", "/v1/completions", USER, json=CHAT)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
