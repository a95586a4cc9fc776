"""What is read from a stream and made of it: tokens, ends, errors, and the answer for a caller that does not stream."""

import json
from typing import Any

import pytest
from coderag_gateway.assemble import assemble, make_streaming
from coderag_gateway.progress import Progress
from hypothesis import given, settings
from hypothesis import strategies as st

FEW = settings(max_examples=60, deadline=None)
WORDS = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5)


def event(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def piece(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def read(*parts: bytes, keep: bool = True) -> Progress:
    progress = Progress(keep)
    for part in parts:
        progress.feed(part)
    return progress


@pytest.mark.parametrize(
    "first",
    [
        piece(content="a"),
        piece(reasoning_content="hm"),
        piece(tool_calls=[{"index": 0}]),
        piece("stop"),
        {"choices": [{"text": "a"}]},
    ],
)
def test_a_token_is_whatever_belongs_to_the_answer(first: dict[str, Any]) -> None:
    assert read(event(first)).started


@pytest.mark.parametrize(
    "data",
    [
        event(piece(role="assistant", content=None)),
        event(piece(role="assistant", content="")),
        event({"choices": [], "usage": {}}),
        event({"choices": "x"}),
        event({"choices": [{"delta": "x"}, 3]}),
        event([]),
        b": ping\n\n",
        b"data: not JSON\n\n",
        b"data:\n\n",
        b"\r\n",
        b'data: {"choices": [{"delta": {"content": "a"}}]}',
    ],
)
def test_a_role_a_comment_or_half_a_line_is_no_token(data: bytes) -> None:
    progress = read(data)
    assert (progress.started, progress.finished, progress.error) == (False, False, None)


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", event(piece("length"))])
def test_a_stream_is_over_when_it_says_so(end: bytes) -> None:
    progress = read(event(piece(content="a")))
    assert not progress.finished
    progress.feed(end)
    assert progress.finished


def test_an_end_without_a_last_line_break_counts() -> None:
    progress = read(b"data: [DONE]")
    assert not progress.finished
    progress.end()
    assert progress.finished


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'error: {"code": 500, "message": "boom"}\n', "boom"),
        (b'data: {"error": {"message": "boom"}}\n', "boom"),
        (b'data: {"error": "boom"}\n', "boom"),
    ],
)
def test_errors_are_found_in_every_form_that_servers_use(data: bytes, message: str) -> None:
    progress = read(data, event({"error": {"message": "later"}}))
    assert progress.error is not None
    assert progress.error["message"] == message


@FEW
@given(words=WORDS, cut=st.integers(1, 40))
def test_where_the_network_cuts_the_bytes_changes_nothing(words: list[str], cut: int) -> None:
    body = b"".join(event(piece(content=word)) for word in words) + event(piece("stop")) + b"data: [DONE]\n\n"
    whole, cut_up = read(body), read(*(body[at : at + cut] for at in range(0, len(body), cut)))
    assert (whole.pieces, whole.finished) == (cut_up.pieces, cut_up.finished)
    assert assemble(whole.pieces)["choices"][0]["message"] == {"role": "assistant", "content": "".join(words)}


def test_pieces_are_kept_only_when_they_are_needed() -> None:
    assert read(event(piece(content="a")), keep=False).pieces == []


def test_an_answer_has_the_form_that_openai_gives_it() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    pieces = [
        {**piece(role="assistant", content=None), "object": "chat.completion.chunk", "created": 7},
        piece(reasoning_content="hm", content="a"),
        piece(content="b"),
        piece("stop"),
        {"id": "1", "choices": [], "usage": usage, "timings": {"predicted_n": 2}},
    ]
    assert assemble(pieces) == {
        "id": "1",
        "model": "m",
        "object": "chat.completion",
        "created": 7,
        "usage": usage,
        "timings": {"predicted_n": 2},
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "ab", "reasoning_content": "hm"},
            }
        ],
    }


def test_what_is_no_text_is_taken_as_it_is() -> None:
    message = assemble([piece(annotations=[1]), piece(annotations=[2], content="a")])["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "a", "annotations": [2]}


def test_a_plain_completion_keeps_its_own_form() -> None:
    pieces = [{"choices": [{"text": "a", "index": 0}]}, {"choices": [{"text": "b", "finish_reason": "length"}]}]
    assert assemble(pieces) == {
        "object": "text_completion",
        "choices": [{"index": 0, "finish_reason": "length", "text": "ab", "logprobs": None}],
    }


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_plain_request_is_asked_for_as_a_stream_with_its_usage(path: str) -> None:
    made = make_streaming(path, {"model": "chat", "seed": 1, "n": 1, "logprobs": False})
    assert made is not None
    assert json.loads(made) == {
        "model": "chat",
        "seed": 1,
        "n": 1,
        "logprobs": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/embeddings", {"input": "x"}),
        ("/v1/chat/completions", {"stream": True}),
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"tools": [{"type": "function"}]}),
        ("/v1/chat/completions", {"n": 2}),
        ("/v1/completions", {"echo": True}),
        ("/v1/completions", {"logprobs": 1}),
    ],
)
def test_what_a_stream_would_change_the_form_of_is_left_alone(path: str, document: dict[str, Any]) -> None:
    assert make_streaming(path, document) is None
