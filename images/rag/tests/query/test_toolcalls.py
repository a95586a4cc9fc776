"""Streamed calls of tools, put together."""

from coderag_rag.answer.toolcalls import CallCollector


def message(*deltas):
    collected = CallCollector()
    for delta in deltas:
        collected.add(delta)
    return collected.message


def test_text_alone_makes_no_calls():
    assert message({"content": "a"}, {"content": "b"}) == {"content": "ab"}
    assert message() == {"content": None}


def test_calls_are_joined_by_their_place_whatever_order_they_come_in():
    first = {"index": 1, "id": "b", "function": {"name": "write", "arguments": "{"}}
    second = {"index": 0, "id": "a", "function": {"name": "read", "arguments": None}}
    third = {"index": 1, "function": {"arguments": "}", "other": "x"}}
    told = message({"tool_calls": [first, second]}, {"tool_calls": [third]}, {"tool_calls": [{"index": 1}]})
    assert told["content"] is None
    assert [(call["id"], call["function"]) for call in told["tool_calls"]] == [
        ("a", {"name": "read", "arguments": ""}),
        ("b", {"name": "write", "arguments": "{}"}),
    ]
