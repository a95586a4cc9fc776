"""Every body is either understood or refused with the field and the remedy."""

import contextlib
import json

import pytest
from coderag_embedding.errors import ApiError
from coderag_embedding.schema import MAX_CHARACTERS, MAX_INPUTS, parse_request
from hypothesis import given, settings
from hypothesis import strategies as st

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = LEAF | st.lists(LEAF, max_size=3) | st.dictionaries(st.text(max_size=5), LEAF, max_size=2)


def refuse(body):
    with pytest.raises(ApiError) as caught:
        parse_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    assert caught.value.error["type"] == "invalid_request_error"
    assert caught.value.error["hint"]
    return caught.value.error


def test_one_string_is_a_list_of_one():
    request = parse_request(b'{"model": "m", "input": "a"}')
    assert (request.input, request.input_type, request.encoding_format) == (["a"], "passage", "float")


def test_a_document_is_a_passage():
    assert parse_request(b'{"model": "m", "input": "a", "input_type": "document"}').input_type == "passage"


def test_null_means_absent():
    request = parse_request(
        b'{"model": "m", "input": ["a"], "encoding_format": null, "input_type": null, "user": null}'
    )
    assert (request.encoding_format, request.input_type) == ("float", "passage")


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"input": ""}, "input[0]", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": ["a", ""]}, "input[1]", "invalid_value"),
        ({"input": ["a", 7]}, "input[1]", "invalid_value"),
        ({"input": [1, 2, 3]}, "input", "token_input_not_supported"),
        ({"input": [[1, 2], [3]]}, "input", "token_input_not_supported"),
        ({"input": None}, "input", "invalid_value"),
        ({"input": {"text": "a"}}, "input", "invalid_value"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input", "invalid_value"),
        ({"input": "a" * (MAX_CHARACTERS + 1)}, "input[0]", "invalid_value"),
        ({"model": 1}, "model", "invalid_value"),
        ({"input_type": "docs"}, "input_type", "invalid_value"),
        ({"encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"dimensions": "384"}, "dimensions", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"input_typ": "query"}, "input_typ", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named(change, param, code):
    error = refuse({"model": "m", "input": "a"} | change)
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize("name", ["model", "input"])
def test_a_missing_field_is_named(name):
    body = {"model": "m", "input": "a"}
    del body[name]
    error = refuse(body)
    assert (error["param"], error["code"]) == (name, "missing_field")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"model": "m", "input": "\\ud800"}'])
def test_a_body_that_is_no_json_object_is_refused(body):
    assert refuse(body)["code"] in ("invalid_json", "invalid_value")


def test_the_refusal_does_not_repeat_the_text():
    assert "hunter2" not in json.dumps(refuse({"model": "m", "input": {"password": "hunter2"}}))


@settings(max_examples=50, deadline=None)
@given(JSON, st.sampled_from(["model", "input", "input_type", "encoding_format", "dimensions", "user", "other"]))
def test_any_value_in_any_field_is_understood_or_refused(value, name):
    body = json.dumps({"model": "m", "input": "a"} | {name: value}).encode()
    with contextlib.suppress(ApiError):  # anything else that is raised fails the test
        assert parse_request(body).input


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=50))
def test_any_bytes_are_understood_or_refused(body):
    refuse(body)
