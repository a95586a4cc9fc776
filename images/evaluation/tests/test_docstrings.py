"""Functions are asked for by what their docstrings say, and hold nothing of it."""

import ast
from textwrap import dedent

import pytest
from coderag_eval.mining.docstrings import Rule, documented_functions, first_sentence
from coderag_eval.mining.names import holds_name, holds_word_of_name
from hypothesis import given
from hypothesis import strategies as st

SOURCE = dedent(
    '''
    import os

    class Queue:
        """Not a function."""

        @property
        def depth(self, limit: int = 3) -> int:
            """Count the waiting requests of one lane.  And more.

            Long text.
            """
            total = 0

            for lane in self.lanes:
                total += len(lane)
            return min(total, limit)

    if os.name:
        async def drain(server):
            \'\'\'Wait until nobody is being served any more\'\'\'
            while server.busy:
                await server.idle()
            return server
    '''
)


def test_a_function_is_asked_for_by_the_first_sentence_of_its_docstring():
    found = documented_functions("app/queue.py", SOURCE)
    assert [(one.qualified, one.query) for one in found] == [
        ("Queue.depth", "Count the waiting requests of one lane"),
        ("drain", "Wait until nobody is being served any more"),
    ]
    assert [one.name for one in found] == ["depth", "drain"]


def test_a_method_keeps_its_class_line_and_loses_its_docstring():
    text = documented_functions("app/queue.py", SOURCE)[0].text
    assert text.startswith("class Queue:\n    @property\n    def depth(self")
    assert "waiting" not in text
    assert "Long text" not in text
    assert "return min(total, limit)\n" in text
    ast.parse(text)


@pytest.mark.parametrize(
    "function",
    [
        'def f():\n    """Only words and no statement at all."""\n',
        'def f(): "Words and a statement in one line."; return 1\n',
        'def f():\n    """Words that share a line with code."""; return 1\n',
        'def f():\n    """Too short."""\n    a = 1\n    b = 2\n    c = 3\n    return a\n',
        'def f():\n    """Says it in words that are 한국어 here."""\n    a = 1\n    b = 2\n    c = 3\n    return a\n',
        'def f():\n    """A function of very few lines."""\n    return 1\n',
        "def f():\n    a = 1\n    b = 2\n    c = 3\n    return a\n",
        "def f(:\n",
        "def f():\n    '''Nul\0 byte in here somewhere.'''\n    return 1\n",
    ],
)
def test_what_cannot_be_asked_for_is_left_out(function):
    assert documented_functions("a.py", function) == []


def test_the_rule_bounds_the_length():
    assert documented_functions("a.py", SOURCE, Rule(most_lines=4)) != documented_functions("a.py", SOURCE)
    assert documented_functions("a.py", SOURCE, Rule(longest_query=10)) == []


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Return the sum. Then rest.", "Return the sum"),
        ("Return\n  the sum\n\nMore.", "Return the sum"),
        ("* Reads version 1.2 of it.", "Reads version 1.2 of it"),
        ("Do it now\n:param x: a thing", "Do it now"),
        ("Do it now\n---------\nmore", "Do it now"),
        ("", ""),
    ],
)
def test_the_first_sentence_is_one_line_without_markup(docstring, sentence):
    assert first_sentence(docstring) == sentence


@pytest.mark.parametrize(
    ("query", "name", "whole", "word"),
    [
        ("Parses the command line", "parse_args", False, True),
        ("Call parse_args for it", "parse_args", True, True),
        ("Parse args of a program", "parse_args", True, True),
        ("Read what was typed", "parse_args", False, False),
        ("Return the header of an HTTPServer", "serve", True, True),
        ("Return whether it is of an age", "is_a", False, False),
        ("Anything at all", "_", False, False),
    ],
)
def test_a_query_that_gives_the_name_away_is_told(query, name, whole, word):
    assert holds_name(query, name) is whole
    assert holds_word_of_name(query, name) is word


@given(st.text(max_size=300))
def test_no_text_breaks_the_miner(text):
    documented_functions("a.py", text)
    first_sentence(text)
    holds_word_of_name(text, text)
