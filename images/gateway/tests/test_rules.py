"""Keys, request bodies and the rewording of failures: everything pure."""

import json
from typing import Any

import pytest
from coderag_gateway.callers import MASTER, RAG, USER, Callers, read_bearer
from coderag_gateway.fields import FORMS
from coderag_gateway.outcome import translate, unwrap
from coderag_gateway.requests import FIELDS, BadRequestError, parse_request
from coderag_gateway.settings import read_settings
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = {"LITELLM_MASTER_KEY": "m" * 32, "API_KEY": "u" * 32, "RAG_GATEWAY_KEY": "r" * 32}
CALLERS = Callers(read_settings(KEYS))
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
FEW = settings(max_examples=50, deadline=None)
FREE = sorted(FIELDS - {"tools", "model", *FORMS})  # fields that may hold anything


def test_each_key_has_its_models() -> None:
    assert CALLERS.find("m" * 32) is MASTER
    assert CALLERS.find("u" * 32) is USER
    assert CALLERS.find("r" * 32) is RAG
    assert USER.models == ("chat", "code", "chat-7b", "code-7b", "coderag", "embedding")
    assert RAG.models == ("chat", "code")


@FEW
@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    assert (CALLERS.find(text) is None) == (text not in KEYS.values())


@pytest.mark.parametrize(
    ("header", "key"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("abc", None), ("Basic abc", None), ("", None), ("Bearer ", None)],
)
def test_a_key_is_read_from_a_bearer_header(header: str, key: str | None) -> None:
    assert read_bearer(header) == key


@FEW
@given(st.dictionaries(st.sampled_from(FREE) | st.text(), JSON), st.text(min_size=1))
def test_only_known_fields_pass_and_they_pass_unchanged(fields: dict[str, Any], model: str) -> None:
    given_body = {**fields, "model": model}
    given_body = {name: value for name, value in given_body.items() if name not in {"tools", *FORMS}}
    request = parse_request(json.dumps(given_body).encode())
    assert json.loads(request.body) == {name: value for name, value in given_body.items() if name in FIELDS}
    assert set(request.dropped) == set(given_body) - FIELDS


@FEW
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_request_or_a_clear_refusal(raw: bytes) -> None:
    try:
        accepted = bool(parse_request(raw).model)
    except BadRequestError as error:
        accepted = bool(error.message and error.hint)
    assert accepted


def test_the_last_of_two_models_is_the_one_that_is_checked_and_sent() -> None:
    request = parse_request(b'{"model": "coderag", "model": "chat"}')
    assert (request.model, json.loads(request.body)) == ("chat", {"model": "chat"})


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model": 3}', "model"),
        (b'{"model": ["chat", "coderag"]}', "model"),
        (b"{}", "model"),
        (b'{"model": "chat", "tools": [{"type": "mcp", "server_url": "x"}]}', "tools"),
        (b'{"model": "chat", "tools": {}}', "tools"),
        (b"[" * 100_000, None),
    ],
)
def test_a_bad_body_is_refused_by_field(raw: bytes, param: str | None) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(raw)
    assert caught.value.param == param


MISSHAPEN: dict[str, list[Any]] = {
    "messages": [3, "hi", {}, ["hi"], [{"content": "hi"}], [{"role": 1}], [{"role": "user", "content": 3}],
                 [{"role": "user", "content": ["hi"]}]],
    "stop": [3, [3], {}],
    "stream": ["yes", 1],
    "stream_options": [True, []],
    "response_format": ["json"],
    "logprobs": ["yes"],
    **{key: ["9", 1.5, True] for key in ("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs")},
    **{key: ["hot", True] for key in ("temperature", "top_p", "presence_penalty", "frequency_penalty")},
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MISSHAPEN.items() for value in values])
def test_a_value_of_the_wrong_form_is_refused_by_its_field(name: str, value: Any) -> None:
    with pytest.raises(BadRequestError, match=f"`{name}` must be") as caught:
        parse_request(json.dumps({"model": "chat", name: value}).encode())
    assert (caught.value.param, bool(caught.value.hint)) == (name, True)


def test_every_form_has_an_example_of_what_it_refuses() -> None:
    assert set(MISSHAPEN) == set(FORMS)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_null_stands_for_a_field_that_is_not_there(name: str) -> None:
    assert json.loads(parse_request(json.dumps({"model": "chat", name: None}).encode()).body)[name] is None


@pytest.mark.parametrize("content", ["hi", None, "", [{"type": "text", "text": "hi"}]])
def test_every_form_of_openais_messages_passes(content: Any) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "user", "content": content}, {"role": "assistant", "tool_calls": [call]}]
    body = {"model": "chat", "messages": messages, "stop": ["a"], "temperature": 0, "logprobs": 3, "max_tokens": 7}
    assert json.loads(parse_request(json.dumps(body).encode(), "/v1/chat/completions").body) == body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_a_chat_needs_messages_and_nothing_else_does(path: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(b'{"model": "chat"}', path)
    assert caught.value.param == "messages"
    assert parse_request(b'{"model": "chat", "prompt": "x"}', "/v1/completions").model == "chat"


def test_functions_are_allowed_as_tools() -> None:
    body = {"model": "chat", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert json.loads(parse_request(json.dumps(body).encode()).body) == body


CONTROL = ["fallbacks", "api_base", "base_url", "api_key", "mock_response", "metadata", "litellm_metadata", "timeout"]
CONTROL += [
    "num_retries",
    "model_list",
    "user_config",
    "extra_headers",
    "extra_body",
    "context_window_fallbacks",
    "tags",
]


@pytest.mark.parametrize("name", CONTROL)
def test_litellms_control_fields_do_not_pass(name: str) -> None:
    request = parse_request(json.dumps({"model": "chat", name: "x"}).encode())
    assert request.dropped == (name,)
    assert json.loads(request.body) == {"model": "chat"}


def failure(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "x", "param": None, "code": "429"}}).encode()


POOL = "No deployments available for selected model, Try again in 14.2 seconds. Passed model=chat"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (429, {"retry-after": "15"}, failure(POOL), (503, "models_unavailable", "15")),
        (429, {}, failure(POOL), (503, "models_unavailable", "5")),
        (500, {}, b"not JSON", (503, "models_unavailable", "5")),
        (502, {"retry-after": "Fri, 01 Jan"}, b"[]", (503, "models_unavailable", "5")),
        (503, {"llm_provider-retry-after": "2.2"}, failure("x"), (503, "models_unavailable", "3")),
        (504, {"retry-after": "1e999"}, b"{}", (503, "models_unavailable", "5")),
        (408, {"retry-after": "0"}, failure("timed out"), (503, "model_timeout", "1")),
        (503, {"retry-after": "86400"}, failure("x"), (503, "models_unavailable", "60")),
    ],
)
def test_no_model_left_becomes_503_with_retry_after(
    status: int, headers: dict[str, str], body: bytes, expected: tuple[int, str, str]
) -> None:
    found = translate(status, headers, body)
    assert found is not None
    assert (found[0], found[1]["error"]["code"], found[2]["retry-after"]) == expected
    assert set(found[1]["error"]) == {"message", "type", "param", "code", "hint"}


def test_an_answer_of_nothing_is_a_refusal() -> None:
    found = translate(200, {}, b"null")
    assert found is not None
    assert (found[0], found[1]["error"]["code"]) == (422, "request_refused")
    assert translate(200, {}, b"true") is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
def test_other_refusals_keep_their_meaning(status: int) -> None:
    assert translate(status, {"retry-after": "7"}, failure("litellm.RateLimitError: too many requests")) is None


@pytest.mark.parametrize(
    ("message", "figures"),
    [
        (
            "litellm.ContextWindowExceededError: Model=openai/chat, Max Input Tokens=4096, Got=9001",
            "9001 tokens, and 4096",
        ),
        (
            "litellm.BadRequestError: ContextWindowExceededError: OpenAIException - exceeds the available context",
            "context.",
        ),
    ],
)
def test_a_prompt_that_fits_nowhere_is_told_with_the_figures(message: str, figures: str) -> None:
    found = translate(400, {}, failure(message))
    assert found is not None
    assert (found[0], found[1]["error"]["code"], found[2]) == (400, "context_length_exceeded", {})
    assert figures in found[1]["error"]["message"]
    assert "litellm" not in found[1]["error"]["message"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("litellm.NotFoundError: NotFoundError: OpenAIException - repository 'x' is not served\n\nLiteLLM: model group "
         "'coderag' failed\nFallbacks are configured for: chat", "repository 'x' is not served"),
        ("litellm.APIError: APIError: OpenAIException - nothing is indexed", "nothing is indexed"),
        ("a plain refusal", "a plain refusal"),
    ],
)  # fmt: skip
def test_a_refusal_keeps_the_servers_words_and_none_of_litellms(said: str, told: str) -> None:
    error = json.loads(unwrap(failure(said)))["error"]
    assert error == {"message": told, "type": "x", "param": None, "code": "429"}
    assert unwrap(b"no JSON") == b"no JSON"
