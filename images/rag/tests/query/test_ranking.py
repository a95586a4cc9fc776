"""The ranker: signals and limits."""

from coderag_rag.query.analysis import analyse
from coderag_rag.query.chunk import Chunk
from coderag_rag.query.manifest import Place
from coderag_rag.query.ranking import Candidate, definition_boost, path_boost, rank
from coderag_rag.query.weights import RANKER
from hypothesis import given
from hypothesis import strategies as st


def defining(*symbols, start=1, language="python"):
    lines = {"start_line": start, "end_line": start + 9}
    return Chunk.of({"blob": "b", "symbols": symbols, "language": language, **lines})


def candidate(path="src/a.py", score=1.0, symbols=("x",), start=1, point=None, language="python"):
    where = Place("app", "main", "c", path)
    chunk = defining(*symbols, start=start, language=language)
    return Candidate(point or f"{path}:{start}", chunk, where, score=score)


def order(query, *candidates, **more):
    return [item.point for item in rank(analyse(query), candidates, **more)]


def test_the_definition_comes_before_better_scored_uses():
    definition = candidate("src/q.py", 1.0, ["retry", "WorkQueue.retry"])
    assert order("WorkQueue.retry", candidate("src/use.py", 2.0), definition)[0] == "src/q.py:1"


def test_the_qualified_name_beats_the_same_last_part_elsewhere():
    mine, other = candidate("a.py", 1.0, ["retry", "WorkQueue.retry"]), candidate("b.py", 1.0, ["retry", "Http.retry"])
    assert order("WorkQueue.retry", other, mine)[0] == "a.py:1"


def test_the_last_part_still_counts_when_the_prefix_is_a_module():
    assert definition_boost(analyse("coderag.plan.build_plan"), defining("build_plan"), RANKER) == RANKER.definition


def test_a_name_inside_a_longer_qualified_one_counts_in_full():
    assert (
        definition_boost(analyse("WorkQueue.retry"), defining("engine.WorkQueue.retry"), RANKER)
        == RANKER.qualified_definition
    )


def test_words_of_a_symbol_count_in_prose():
    query = analyse("how long does retry wait in the work queue")
    assert (
        definition_boost(query, defining("WorkQueue.retry"), RANKER)
        > definition_boost(query, defining("retry_http"), RANKER)
        > 0
    )
    assert definition_boost(query, defining("_"), RANKER) == 0


def test_path_words_lift_and_an_empty_query_lifts_nothing():
    assert path_boost(analyse("work queue"), "engine/work_queue.py", RANKER) > 0
    assert path_boost(analyse("???"), "engine/work_queue.py", RANKER) == 0


def test_tests_come_later_unless_asked_for():
    test, code = candidate("tests/test_q.py", 1.2), candidate("src/q.py", 1.0)
    assert order("retry waits", test, code)[0] == "src/q.py:1"
    assert order("tests for retry waits", test, code)[0] == "tests/test_q.py:1"
    assert order("retry waits", test, code, demote=False)[0] == "tests/test_q.py:1"


def test_lists_of_past_changes_come_later_unless_asked_for():
    past, code = candidate("CHANGELOG.md", 1.2, (), language="markdown"), candidate("src/q.py", 1.0)
    assert order("retry waits", past, code)[0] == "src/q.py:1"
    assert order("in which release did retry change", past, code)[0] == "CHANGELOG.md:1"
    assert order("retry waits", past, code, demote=False)[0] == "CHANGELOG.md:1"


def test_the_description_of_a_file_comes_after_what_it_describes():
    opening, function = candidate("a.py", 1.4, ()), candidate("a.py", 1.0, ["fuse"], start=13)
    assert order("reciprocal ranks", opening, function)[0] == "a.py:13"
    assert order("reciprocal ranks", candidate("a.md", 1.4, (), language="markdown"), function)[0] == "a.md:1"


def test_vendored_and_generated_files_come_later():
    assert order("retry", candidate("vendor/q.go", 1.2), candidate("src/q.go"))[0] == "src/q.go:1"
    assert order("retry", candidate("api/q.pb.go", 1.2), candidate("src/q.go"))[0] == "src/q.go:1"


def test_a_file_found_often_is_lifted():
    coherent = [candidate("b.py", 1.0, start=1), candidate("b.py", 0.9, start=20)]
    assert order("zzz", candidate("a.py", 1.05), *coherent)[0] == "b.py:1"


def test_a_file_that_was_shown_three_times_comes_after_others_that_match_about_as_well():
    many = [candidate("a.py", 10 - n / 10, start=n * 10 + 1) for n in range(5)]
    assert order("zzz", *many, candidate("b.py", 9.3)) == [
        "a.py:1",
        "a.py:11",
        "a.py:21",
        "b.py:1",
        "a.py:31",
        "a.py:41",
    ]


def test_a_file_that_matches_far_better_than_others_may_fill_more_places():
    many = [candidate("a.py", 10 - n / 10, start=n * 10 + 1) for n in range(5)]
    assert order("zzz", *many, candidate("b.py", 1.0))[-1] == "b.py:1"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10)), max_size=12))
def test_every_candidate_is_kept_and_scores_descend(found):
    given_ = [candidate(f"{name}.py", score, start=n + 1) for n, (name, score) in enumerate(found)]
    ranked = rank(analyse("zzz"), given_)
    assert sorted(item.point for item in ranked) == sorted(item.point for item in given_)
    assert [item.score for item in ranked] == sorted((item.score for item in ranked), reverse=True)


@given(st.permutations([candidate(f"{name}.py", 1.0) for name in "abcdef"]))
def test_equal_scores_have_one_order(candidates):
    assert order("zzz", *candidates) == [f"{name}.py:1" for name in "abcdef"]


def test_nothing_is_ranked_as_nothing():
    assert order("x") == []
