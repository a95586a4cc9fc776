"""Search and ask through the real services: right lines, valid citations, nothing without a key."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from e2e import install
from e2e.demo.answers import post

KNOWN = {
    "coalescing work queue that never loses a wake-up": (
        "operator/coderag_operator/engine/workqueue.py",
        "class WorkQueue",
    ),
    "fuse the scores of the search legs by weight": ("images/rag/coderag_rag/query/fusion.py", "def "),
    # Nothing of it is in the code: its words are looked up in the lexicon of the image.
    "메모리 제한을 읽는 함수": ("images/rag/coderag_rag/api/container.py", "def memory_limit_mib"),
    "read the header of a GGUF file": ("images/model/coderag_model/header.py", "def "),
}
PORTS = {"embedding": 8003, "rag": 8002, "ingestion": 8005, "gateway": 8000, "chat": 8001, "code": 8004, "qdrant": 6333}
HARMLESS = {
    "/healthz",
    "/readyz",
    "/livez",
    "/health",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/redoc",
    "/docs/oauth2-redirect",
}


def answer_code(method, url, body=None):
    """Return the status code of a request without a key."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("query", KNOWN)
def test_a_known_function_is_in_the_top_three_with_file_and_lines(stack, rag, query):
    path, definition = KNOWN[query]
    hits = post(rag, stack.key(), "/v1/search", {"query": query, "limit": 3})["hits"]
    found = [hit for hit in hits if hit["path"] == path]
    assert found, [(hit["path"], hit["start_line"], hit["end_line"]) for hit in hits]
    lines = Path(path).read_text().splitlines()
    for hit in found:
        assert hit["text"].splitlines() == lines[hit["start_line"] - 1 : hit["end_line"]]
    assert any(definition in hit["text"] for hit in found)


def test_the_gateway_answers_from_code_while_chat_is_held_down(stack):
    operator = "deployment/coderag-operator"
    stack.cluster.kubectl("-n", "coderag-system", "scale", operator, "--replicas=0")
    stack.cluster.kubectl("-n", "coderag-system", "rollout", "status", operator, "--timeout=60s")
    try:
        stack.kubectl("scale", f"deployment/{stack.name}-chat", "--replicas=0")
        stack.kubectl("wait", "pod", "-l", "app.kubernetes.io/component=chat", "--for=delete", "--timeout=120s")
        headers, body = complete(stack, "chat")
    finally:
        stack.cluster.kubectl("-n", "coderag-system", "scale", operator, "--replicas=1")
    assert headers["x-litellm-model-id"] == "code"
    assert body["choices"][0]["message"]["role"] == "assistant"


def complete(stack, model):
    """Ask the gateway for a short completion; return headers and body."""
    body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Say hello"}]}
    headers = {"Authorization": f"Bearer {stack.key()}", "Content-Type": "application/json"}
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-gateway", PORTS["gateway"]) as url:
        request = urllib.request.Request(
            f"{url}/v1/chat/completions", json.dumps(body).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return dict(answer.headers), json.loads(answer.read())


def test_the_gateway_serves_chat_code_and_coderag(stack):
    for model in ("chat", "code", "coderag"):
        _, body = complete(stack, model)
        assert body["choices"], model


@pytest.mark.parametrize("component", ["rag", "ingestion"])
def test_no_route_of_a_service_answers_without_a_key(stack, component):
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-{component}", PORTS[component]) as url:
        document = json.loads(install.request("GET", f"{url}/openapi.json", stack.key()))
        routes = [(path, method) for path, item in document["paths"].items() for method in item if path not in HARMLESS]
        assert routes
        codes = {f"{m} {p}": answer_code(m.upper(), url + p.replace("{name}", "coderag"), {}) for p, m in routes}
    assert set(codes.values()) <= {401, 403}, codes


@pytest.mark.parametrize(
    ("component", "method", "path"),
    [
        ("embedding", "GET", "/v1/models"),
        ("embedding", "POST", "/v1/embeddings"),
        ("embedding", "GET", "/model/status"),
        ("embedding", "POST", "/model/reload"),
        ("gateway", "GET", "/"),
        ("gateway", "GET", "/ui/"),
        ("gateway", "GET", "/openapi.json"),
        ("gateway", "GET", "/routes"),
        ("gateway", "GET", "/v1/models"),
        ("gateway", "POST", "/v1/chat/completions"),
        ("gateway", "POST", "/key/generate"),
        ("chat", "POST", "/v1/chat/completions"),
        ("code", "POST", "/completion"),
        ("code", "GET", "/slots"),
        ("qdrant", "GET", "/collections"),
        ("qdrant", "GET", "/metrics"),
    ],
)
def test_what_has_no_openapi_document_refuses_without_a_key(stack, component, method, path):
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-{component}", PORTS[component]) as url:
        assert answer_code(method, url + path, {} if method == "POST" else None) in {401, 403}
