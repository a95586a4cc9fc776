"""Lists of sources in a model's own words."""

from itertools import pairwise

import pytest
from coderag_rag.answer.listing import ListingFilter
from hypothesis import given, settings
from hypothesis import strategies as st

texts = st.lists(
    st.sampled_from(
        [
            "Sources",
            ":",
            "\n",
            "\n\n",
            "[1]",
            "[9]",
            " app a.py:1-2",
            "- ",
            "1. ",
            "## ",
            "**",
            "```\n",
            "word",
            " ",
            "출처",
        ]
    ),
    max_size=16,
).map("".join)


def filtered(pieces, valid=(1, 2)):
    machine = ListingFilter(valid)
    shown = "".join([machine.feed(piece) for piece in pieces]) + machine.finish()
    return shown, machine.cited, machine.dropped


@pytest.mark.parametrize(
    ("text", "shown", "cited", "dropped"),
    [
        ("It waits [1].\n\nSources:\n[1] app a.py:1-2\n[9] x", "It waits [1].\n\n", [1], 1),
        ("a\n## References\n\n- [2] app b.py\n* [1]\n\nThe end.", "a\n\nThe end.", [2, 1], 0),
        ("Sources:\n[2] a `x[1]`\n\n[1] is prose again.", "\n[1] is prose again.", [2], 0),
        ("a\n**출처**:\n1. [1] 큐\n", "a\n", [1], 0),
        ("a\n[1] app etc/passwd:1-9 @badc0de\nb\n", "a\nb\n", [1], 0),
        ("Sources: [1] app a.py:1-2, [9] b.py:3", "", [1], 1),
        ("Sources: [1], [2]\n", "Sources: [1], [2]\n", [], 0),
        ("Source [1] shows a.py:1-2 waits.\n", "Source [1] shows a.py:1-2 waits.\n", [], 0),
        ("[1] says so.\n", "[1] says so.\n", [], 0),
        ("[1](http://evil.example/a.py:1-2)\n", "[1](http://evil.example/a.py:1-2)\n", [], 0),
        ("Sources:\nThere are two.\n", "Sources:\nThere are two.\n", [], 0),
        ("Sources:\n\n", "Sources:\n\n", [], 0),
        ("Sources", "Sources", [], 0),
        (":Sources\n[1] app a.py:1-2\n", ":Sources\n", [1], 0),
        ("**Sources:**\n[1] app\n", "", [1], 0),
        ("```\nSources:\n[1] app a.py:1-2\n```\nSources:\n[1] x", "```\nSources:\n[1] app a.py:1-2\n```\n", [1], 0),
        ("~~~py\n[1] a.py:1\n~~~~\n[1] a.py:1\n", "~~~py\n[1] a.py:1\n~~~~\n", [1], 0),
        ("[list] of a.py:1-2\n", "[list] of a.py:1-2\n", [], 0),
        ("Sources " + "x" * 500 + "\n", "Sources " + "x" * 500 + "\n", [], 0),
        ("", "", [], 0),
    ],
)
def test_a_list_is_taken_out_and_its_numbers_are_kept(text, shown, cited, dropped):
    assert filtered([text]) == (shown, cited, dropped)
    assert filtered(list(text)) == (shown, cited, dropped)


@given(texts, st.data())
@settings(max_examples=150)
def test_the_result_does_not_depend_on_how_the_text_was_cut(text, data):
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5))), len(text)]
    assert filtered([text[a:b] for a, b in pairwise(edges)]) == filtered([text])


@given(texts)
@settings(max_examples=150)
def test_without_a_list_nothing_is_changed(text):
    shown, cited, dropped = filtered([text])
    if not cited and not dropped:
        assert shown == text


def test_words_that_begin_no_list_are_given_on_at_once():
    machine = ListingFilter({1})
    assert machine.feed("So") == ""
    assert machine.feed(" the") == "So the"
    assert machine.feed(" queue") == " queue"
