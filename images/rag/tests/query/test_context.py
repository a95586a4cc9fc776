"""Context blocks and the prompt around them."""

from dataclasses import replace

from coderag_rag.answer.citations import resolve
from coderag_rag.answer.context import Block, build_context, estimate_tokens
from coderag_rag.query.hits import Hit
from coderag_rag.query.manifest import Manifest, Snapshot
from coderag_rag.store.schema import Entry, HeadPayload, text_sha256
from hypothesis import given
from hypothesis import strategies as st


def hit(text="x = 1\n", path="a.py", start=3, **more):
    end = start + max(0, text.rstrip("\n").count("\n"))
    made = Hit("app", "main", "c0ffee", path, start, end, 1.0, "python", [], text, "blob", text_sha256(text))
    return replace(made, **more)


def part(path, start, stop):
    """A chunk whose every line says where it is."""
    return hit("".join(f"{path}:{line}\n" for line in range(start, stop + 1)), path, start)


def shown(blocks):
    return [(block.hits[0].path, block.start_line, block.end_line) for block in blocks]


def test_a_block_names_its_number_repository_path_and_lines():
    text = Block(2, (hit("x = 1\ny = 2\n"),)).quoted("source-1a")
    assert text == "[2] app a.py:3-4\n<source-1a>\nx = 1\ny = 2\n</source-1a>\n"


def test_chunks_that_touch_become_one_block_at_the_place_of_the_better_one():
    hits = [part("a.py", 11, 20), part("b.py", 1, 5), part("a.py", 21, 30), part("a.py", 1, 10)]
    blocks = build_context(hits, 10_000)
    assert shown(blocks) == [("a.py", 1, 30), ("b.py", 1, 5)]
    assert [block.number for block in blocks] == [1, 2]
    assert blocks[0].source == "".join(f"a.py:{line}\n" for line in range(1, 31))


def test_a_chunk_between_two_blocks_joins_them():
    hits = [part("a.py", 21, 30), part("b.py", 1, 2), part("a.py", 1, 10), part("a.py", 11, 20)]
    assert shown(build_context(hits, 10_000)) == [("a.py", 1, 30), ("b.py", 1, 2)]


def test_chunks_with_a_gap_or_of_other_files_stay_apart():
    hits = [part("a.py", 1, 10), part("a.py", 12, 20), part("b.py", 11, 11)]
    assert len(build_context(hits, 10_000)) == 3
    other = replace(part("a.py", 11, 11), repository="web")
    assert len(build_context([part("a.py", 1, 10), other], 10_000)) == 2


def test_lines_that_two_chunks_share_are_told_once():
    (block,) = build_context([part("a.py", 5, 14), part("a.py", 1, 8), part("a.py", 6, 7)], 10_000)
    assert block.source == "".join(f"a.py:{line}\n" for line in range(1, 15))


def test_a_line_longer_than_the_budget_is_passed_over_and_alone_the_shortest_stays():
    huge, plain = hit("x" * 100_000, "min.js"), part("a.py", 1, 2)
    assert shown(build_context([huge, plain], 300)) == [("a.py", 1, 2)]
    assert shown(build_context([hit("y" * 200_000, "b.js"), huge], 300)) == [("min.js", 3, 3)]


def test_a_copy_in_another_file_is_told_once():
    hits = [hit("def f(): ...\n", "a.py"), hit("def f(): ...\n", "copy.py", blob="other")]
    assert shown(build_context(hits, 10_000)) == [("a.py", 3, 3)]


def test_a_source_without_a_last_line_feed_is_kept_as_it_is():
    first, last = part("a.py", 1, 2), hit("the end", "a.py", 3)
    (block,) = build_context([last, first], 10_000)
    assert block.source == "a.py:1\na.py:2\nthe end"


def test_a_joined_block_is_cited_with_all_its_lines_if_every_part_holds():
    head = HeadPayload("app", "main", "c0ffee", 1, 1, 1, 1, 2, "2026-01-01T00:00:00Z", "identity", [])
    snapshot = Snapshot.of([Manifest.build(head, [Entry("a.py", "blob", "python")])])
    first, second = part("a.py", 1, 10), part("a.py", 11, 20)
    (block,) = build_context([second, first], 10_000)
    (citation,) = resolve([1], {1: block}, snapshot)
    assert (citation.start_line, citation.end_line, citation.text) == (1, 20, first.text + second.text)
    changed = replace(block, hits=(first, replace(second, text_sha256="0" * 64)))
    assert resolve([1], {1: changed}, snapshot) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=20, unique=True), st.integers(1, 600))
def test_blocks_are_the_best_hits_and_fit_the_budget_and_tell_no_line_twice(places, budget):
    hits = [part(f"{name}.py", 10 * n + 1, 10 * n + 10) for name, n in places]
    blocks = build_context(hits, budget)
    told = [line for block in blocks for line in block.source.splitlines()]
    chosen = {hits.index(part) for block in blocks for part in block.hits}
    assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
    assert chosen == set(range(len(chosen)))
    assert len(told) == len(set(told)) == 10 * len(chosen)
    assert len(chosen) <= 1 or sum(block.tokens for block in blocks) <= budget
    assert bool(blocks) is bool(hits)
    best = [min(hits.index(one) for one in block.hits) for block in blocks]
    assert best == sorted(best)


def test_other_scripts_count_a_token_a_character():
    assert estimate_tokens("한국어") == 3
    assert estimate_tokens("a" * 32) == 10
