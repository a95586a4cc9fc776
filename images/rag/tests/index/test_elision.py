"""Encoded data is left out of the text, and lines stay where they are."""

import base64

import pytest
from coderag_rag.chunking.elision import leave_out_data
from hypothesis import given
from hypothesis import strategies as st

PICTURE = base64.b64encode(bytes(range(256)) * 8).decode()
WRAPPED = "\\n".join(PICTURE[n : n + 76] for n in range(0, len(PICTURE), 76)) + "\\n"


@pytest.mark.parametrize("data", [PICTURE, PICTURE.rstrip("="), WRAPPED, bytes(range(256)).hex() * 4])
def test_a_run_of_data_gives_way_to_a_mark(data):
    text, notes = leave_out_data(f'before\n  "image": "{data}",\nafter\n')
    end = "\\n" if data.endswith("\\n") else ""
    assert text == f'before\n  "image": "[data of {len(data)} characters]{end}",\nafter\n'
    assert [note.cause for note in notes] == ["left-out-data"]


@pytest.mark.parametrize(
    "text", [PICTURE[:900], "=" * 5_000, "A" * 5_000, "word " * 900, "a\\n" * 2_000, "x" * 40 + "\n"]
)
def test_rulers_words_and_short_runs_stay(text):
    assert leave_out_data(text) == (text, [])


@given(st.lists(st.sampled_from([PICTURE, WRAPPED, "\n", "\r\n", "x = ", '"', "\\n", "한글"]), max_size=12))
def test_no_line_is_added_or_removed(parts):
    text = "".join(parts)
    assert leave_out_data(text)[0].count("\n") == text.count("\n")
