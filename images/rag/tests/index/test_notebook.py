"""Notebooks: embedded as what the cells say, cited as rows of the file."""

import json

import pytest
from coderag_rag.chunking.document import prepare_document
from coderag_rag.chunking.splitter import split_text
from hypothesis import given, settings
from hypothesis import strategies as st


def cell(kind, source, outputs=None):
    made = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    return made | ({"execution_count": None, "outputs": outputs or []} if kind == "code" else {})


def notebook(*cells, metadata=None):
    whole = {"cells": list(cells), "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


SMALL = notebook(
    cell("markdown", "# Sales report\n\nWhat was sold."),
    cell("code", "%matplotlib inline\nimport pandas\n\ndef loadSales(path):\n    return pandas.read_csv(path)\n"),
)


def test_a_small_notebook_is_embedded_as_its_cells_say_it():
    document = prepare_document(SMALL.encode(), ["report.ipynb"])
    [found] = [piece for piece in document.pieces if piece.embedded]
    assert (document.language, document.chunker, document.reason) == ("jupyter", "jupyter", "")
    assert found.embedded == (
        "Jupyter notebook section Sales report, function load sales.\n"
        "# Sales report\nWhat was sold.\n%matplotlib inline\nimport pandas\n"
        "def loadSales(path):\n    return pandas.read_csv(path)\n"
    )
    assert found.symbols == ["loadSales"]


def test_the_lines_of_a_chunk_are_those_of_the_file():
    rows = SMALL.split("\n")
    for piece in prepare_document(SMALL.encode(), ["report.ipynb"]).pieces:
        assert piece.text == "\n".join(rows[piece.start_line - 1 : piece.end_line]) + "\n"


def test_a_long_cell_is_split_and_each_part_knows_the_function_it_belongs_to():
    body = "".join(f"    step_{n} = prepare_the_next_step(step_{n - 1})\n" for n in range(1, 60))
    chunks = split_text(notebook(cell("code", f"def build():\n{body}")), "jupyter").chunks
    parts = [chunk for chunk in chunks if chunk.body and not chunk.definitions]
    assert len(parts) > 2
    assert {part.enclosing.name for part in parts} == {"build"}


def test_outputs_are_found_by_keyword_only_and_pictures_are_left_out():
    shown = {"output_type": "stream", "name": "stdout", "text": [f"row number {n} of many\n" for n in range(60)]}
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgoAAA1b2c3d4e5f6" * 500}}
    made = notebook(cell("code", "show()\n", [shown, picture]), cell("code", "second_cell()\n"))
    document = prepare_document(made.encode(), ["a.ipynb"])
    embedded = [piece.embedded for piece in document.pieces if piece.embedded]
    assert document.causes == ["left-out-data"]
    assert embedded == ["Jupyter notebook.\nshow()\nsecond_cell()\n"]
    assert any("row number 59" in piece.text for piece in document.pieces)
    assert any("[data of 12500 characters]" in piece.text for piece in document.pieces)


def test_the_kernel_says_what_the_code_is():
    other = {"kernelspec": {"language": "rust"}}
    [names] = [
        c.symbols
        for c in split_text(notebook(cell("code", "fn turn() {}\n"), metadata=other), "jupyter").chunks
        if c.body
    ]
    assert names == ["turn"]
    unknown = {"language_info": {"name": "brainfudge"}}
    [names] = [
        c.symbols
        for c in split_text(notebook(cell("code", "def f(): 1\n"), metadata=unknown), "jupyter").chunks
        if c.body
    ]
    assert names == []


def test_source_in_one_string_is_embedded_but_not_split():
    whole = {"cells": [{"cell_type": "code", "source": "def f():\n    return 1\n"}, {"odd": 1}, 3]}
    chunks = split_text(json.dumps(whole, indent=1), "jupyter").chunks
    assert [chunk.body for chunk in chunks if chunk.body] == ["def f():\n    return 1\n"]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]\n", '{"cells": 3}\n', "not json at all {{{",
     '{"cells": [{"cell_type": "code"}, {"cell_type": "code"}]}',
     '{\n"cells": [\n{"cell_type":\n"code",\n"source": ["\\x"]}]}'],
)  # fmt: skip
def test_what_is_no_notebook_is_chunked_by_lines_with_the_reason(text):
    split = split_text(text, "jupyter")
    assert (split.chunker, [note.cause for note in split.notes]) == ("lines", ["parse-errors"])
    assert "".join(chunk.text for chunk in split.chunks) == text


LINES = [
    "x = 1\n",
    "def f():\n",
    "    pass\n",
    "\n",
    "# Title\n",
    "%magic\n",
    "한글 = '값'\n",
    "a = [" + "1, " * 60 + "]\n",
    "```\n",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(["code", "markdown", "raw"]), st.lists(st.sampled_from(LINES), max_size=20)),
        max_size=8,
    ),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_chunks_tile_any_notebook(parts, with_output):
    outputs = [{"text": ["printed words\n"] * 30}] if with_output else []
    text = notebook(*(cell(kind, "".join(lines), outputs) for kind, lines in parts))
    chunks = split_text(text, "jupyter", budget=80).chunks
    assert "".join(chunk.text for chunk in chunks) == text
    assert [chunk.start_line for chunk in chunks] == [1, *(chunk.end_line + 1 for chunk in chunks[:-1])]
    said = "".join("".join(lines) for _, lines in parts)
    assert "".join(chunk.body for chunk in chunks).split() == said.split()
