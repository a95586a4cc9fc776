"""Chunks tile the file, follow its structure, and know the names they define."""

import pytest
from coderag_rag.chunking.languages import (
    CSV,
    LANGUAGES,
    MARKDOWN,
    NOTEBOOK,
    TEXT,
    TSV,
    language_of,
    language_of_script,
)
from coderag_rag.chunking.lines import Lines
from coderag_rag.chunking.splitter import split_text
from hypothesis import given, settings
from hypothesis import strategies as st

SAMPLES = {
    "python": "class WorkQueue:\n    def retry(self):\n        pass\n\nLIMIT = 3\n",
    "javascript": "class Box { open() {} }\nconst close = () => 1;\nconst local = 2;\n",
    "typescript": "interface Shape { area(): number }\nexport enum Kind { A }\ntype Alias = string;\n",
    "tsx": "export function View() { return <p>hi</p>; }\n",
    "go": "package p\n\ntype Store struct{}\n\nfunc (s *Store) Get() {}\n",
    "java": "class Outer { int size() { return 0; } record Pair(int a) {} }\n",
    "rust": "struct Ring<T>(T);\nimpl<T> Ring<T> {\n    fn turn(&self) {}\n}\n",
    "c": "struct node { int a; };\nstatic int *next(int a) { return 0; }\n#define LIMIT 3\n",
    "cpp": "namespace n { class A { }; }\nvoid A::run() {}\nA::~A() {}\n",
    "csharp": "namespace N { class A { int Size {get;} void Run() {} } }\n",
    "ruby": "module M\n  class A\n    def self.run; end\n  end\nend\n",
    "php": "<?php\nclass A { public function run() {} }\n",
    "kotlin": "class A { fun run(): Int { return 1 } }\n",
    "scala": "object O { def f(x: Int) = x }\n",
    "bash": "run() { echo hi; }\n",
}
NAMES = {
    "python": ["WorkQueue", "retry", "WorkQueue.retry", "LIMIT"],
    "javascript": ["Box", "open", "Box.open", "close"],
    "typescript": ["Shape", "area", "Shape.area", "Kind", "Alias"],
    "tsx": ["View"],
    "go": ["Store", "Get", "Store.Get"],
    "java": ["Outer", "size", "Outer.size", "Pair", "Outer.Pair"],
    "rust": ["Ring", "turn", "Ring.turn"],
    "c": ["node", "next", "LIMIT"],
    "cpp": ["n", "A", "n.A", "run", "A.run", "~A", "A.~A"],
    "csharp": ["N", "A", "N.A", "Size", "N.A.Size", "Run", "N.A.Run"],
    "ruby": ["M", "A", "M.A", "run", "M.A.run"],
    "php": ["A", "run", "A.run"],
    "kotlin": ["A", "run", "A.run"],
    "scala": ["O", "f", "O.f"],
    "bash": ["run"],
}


@pytest.mark.parametrize("language", SAMPLES)
def test_definitions_are_found_by_name_and_by_qualified_name(language):
    [chunk] = split_text(SAMPLES[language], language).chunks
    assert chunk.symbols == NAMES[language]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_grammar_is_in_the_image_and_parses(language):
    assert split_text("x\n", language).chunks[0].text == "x\n"


PIECES = [
    "def f(x):\n", "    return x\n", "class A:\n", "\n", "# note\n", "x = (\n", ")\n", "{", "}", "\r\n", "\x0c",
    "function g() {\n", "'''", "한글\n", "@d\n", "  ", "```\n", "# Title\n", "## Sub\n", "a, " * 40, "\t", "// c\n",
    "\u2028",
]  # fmt: skip


EVERY = [*sorted(LANGUAGES), MARKDOWN, NOTEBOOK, CSV, TSV, "swift", TEXT]


def rewritten(text: str, chunks) -> str:
    """The text that the chunks give, if every line is in exactly one of them and they stand in order."""
    line = 1
    for chunk in chunks:
        assert (chunk.start_line, chunk.end_line) == (line, line + len(Lines(chunk.text)) - 1)
        line = chunk.end_line + 1
    assert line == len(Lines(text)) + 1
    return "".join(chunk.text for chunk in chunks)


@given(st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from(EVERY))
@settings(max_examples=250, deadline=None)
def test_chunks_joined_are_the_file(parts, language):
    text = "".join(parts)
    assert rewritten(text, split_text(text, language, budget=60).chunks) == text


@given(st.text(max_size=300), st.sampled_from(["python", "typescript", "yaml", "csv", "jupyter", MARKDOWN, TEXT]))
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_breaks_the_splitter(text, language):
    text = text.encode("utf-8", "replace").decode()
    assert "".join(chunk.text for chunk in split_text(text, language, budget=20).chunks) == text


@given(st.integers(1, 80), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_no_chunk_exceeds_the_budget_where_a_line_fits_it(functions, length):
    body = "".join(f"    value_{n} = call({n})\n" for n in range(length))
    text = "".join(f"def f{n}():\n{body}\n" for n in range(functions))
    for chunk in split_text(text, "python").chunks:
        assert len("".join(chunk.text.split())) <= 600


def test_a_function_that_fits_is_never_cut():
    body = "    total = compute_the_total(first, second)\n" * 9
    text = "".join(f"def function_{n}(first, second):\n{body}\n" for n in range(12))
    starts = [line for chunk in split_text(text, "python").chunks for line in [chunk.text.split("\n")[0]]]
    assert all(line.startswith("def ") for line in starts)


def test_a_comment_and_a_decorator_stay_with_what_they_describe():
    filler = "x = compute_something_long(1, 2, 3)\n" * 15
    text = filler + "# says why\n@cached\ndef wanted():\n    return 1\n" + filler
    chunk = next(chunk for chunk in split_text(text, "python").chunks if "wanted" in chunk.symbols)
    assert "# says why\n@cached\ndef wanted" in chunk.text


def test_a_long_function_is_split_and_its_parts_know_it():
    body = "".join(f"    step_{n} = prepare_the_step(step_{n - 1})\n" for n in range(1, 60))
    chunks = split_text(f"class Plan:\n  def build(self):\n{body.replace('    ', '      ')}", "python").chunks
    assert len(chunks) > 2
    assert [chunk.within for chunk in chunks] == ["", *["Plan.build"] * (len(chunks) - 1)]
    assert [chunk.symbols for chunk in chunks[1:]] == [[]] * (len(chunks) - 1)


def test_text_that_is_no_program_is_chunked_by_lines_with_the_reason():
    split = split_text("%%% ((( ]]] %%% §§§\n" * 30, "python")
    assert split.chunker == "lines"
    assert split.reason == "cannot be parsed as Python: chunked by lines"


def test_a_file_with_one_error_is_still_chunked_by_its_structure():
    split = split_text("def good():\n    return 1\n\ndef bad(:\n    pass\n", "python")
    assert split.chunker == "ast"
    assert "good" in split.chunks[0].symbols


def test_nesting_deeper_than_the_stack_is_no_problem():
    text = "x = " + "(" * 3000 + "1" + ")" * 3000 + "\n" + "y = [\n" * 1500 + "]\n" * 1500
    assert "".join(chunk.text for chunk in split_text(text, "python").chunks) == text


def test_a_tree_that_is_too_deep_to_follow_is_counted():
    deep = "x = [\n" + "[\n" * 90 + "".join(f"    'entry number {n}',\n" for n in range(90)) + "]\n" * 91
    split = split_text(deep, "python")
    assert (split.chunker, [note.cause for note in split.notes]) == ("ast", ["too-deep"])
    assert "".join(chunk.text for chunk in split.chunks) == deep


def test_levels_that_end_the_grammar_of_yaml_are_not_given_to_it():
    split = split_text("".join(" " * level + "a:\n" for level in range(400)), "yaml")
    assert (split.chunker, [note.cause for note in split.notes]) == ("lines", ["too-deep"])


def test_a_language_without_a_grammar_is_chunked_by_lines_with_the_reason():
    split = split_text("func run() {}\n", "swift")
    assert (split.chunker, split.reason) == ("lines", "no grammar for Swift: chunked by lines")
    assert split_text("words\n", TEXT).notes == []


def test_a_c_header_that_is_cpp_gets_the_grammar_that_fits():
    text = "namespace graph {\nclass Node {\n public:\n  int size() { return 0; }\n};\n}\n"
    [chunk] = split_text(text, "c").chunks
    assert chunk.symbols == ["graph", "Node", "graph.Node", "size", "graph.Node.size"]


def test_blank_rows_make_no_endless_chunk():
    chunks = split_text("\n" * 20_000, TEXT).chunks
    assert max(len(chunk.text) for chunk in chunks) <= 4_800


def test_many_siblings_are_split_in_one_pass():
    text = "[\n" + "".join(f'  "entry number {n}",\n' for n in range(20_000)) + "  0\n]\n"
    chunks = split_text(text, "json").chunks
    assert "".join(chunk.text for chunk in chunks) == text
    assert len(chunks) > 400


def test_markdown_is_cut_at_headings_but_not_inside_fences():
    prose = "Some words about the matter at hand, long enough to fill.\n" * 12
    text = f"# Guide\n{prose}\n## Install\n```sh\n# not a heading\n```\n{prose}\n## Use\n{prose}"
    chunks = split_text(text, MARKDOWN).chunks
    titles = [d.qualified for chunk in chunks for d in chunk.definitions]
    assert titles == ["Guide", "Guide > Install", "Guide > Use"]
    assert all(chunk.symbols == [] for chunk in chunks)
    assert chunks[-1].text.startswith("## Use\n")


def test_form_feeds_and_separators_do_not_shift_line_numbers():
    chunks = split_text("a\x0cb\u2028c\n\nlast", TEXT, budget=3).chunks
    assert [(chunk.start_line, chunk.end_line) for chunk in chunks] == [(1, 2), (3, 3)]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("A.TSX", "tsx"),
        ("Rakefile", "ruby"),
        ("README.md", MARKDOWN),
        ("LICENSE", TEXT),
        ("x.", TEXT),
        ("go", TEXT),
        ("Dockerfile", "dockerfile"),
        ("build/CMakeLists.txt", "cmake"),
        ("App.swift", "swift"),
        ("a.ipynb", "jupyter"),
        ("object.m", TEXT),
    ],
)
def test_the_language_follows_from_the_name(path, language):
    assert language_of(path) == language


@pytest.mark.parametrize(
    ("line", "language"),
    [("#!/usr/bin/env python3", "python"), ("#!/bin/sh -e", "bash"), ("#!/usr/bin/env -S node", "javascript"),
     ("#!", TEXT), ("#!/opt/odd", TEXT), ("text", TEXT)],
)  # fmt: skip
def test_a_script_names_its_interpreter(line, language):
    assert language_of_script(line) == language
