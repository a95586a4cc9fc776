"""Follow-ups: what is searched for, and what of a conversation a model is told again."""

import pytest
from coderag_rag.answer.context import estimate_tokens
from coderag_rag.answer.conversation import fitting, leans, pair_turns, plain, search_text, within
from hypothesis import given
from hypothesis import strategies as st

FIRST = ("How does WorkQueue.retry wait?", "It asks `WorkQueue.backoff` [1] and `add_after()` [2].")


@pytest.mark.parametrize(
    "question",
    [
        "And where is it tested?",
        "What calls this?",
        "Why?",
        "why not",
        "What about timeouts?",
        "Show me more",
        "Tests?",
        "How do they differ from the previous one?",
        "그건 어디에서 불리나요?",
        "그 함수는 무엇을 반환하나요?",
        "왜요?",
        "그럼 실패하면요?",
        "위의 코드를 설명해 줘",
        "continue",
    ],
)
def test_a_question_that_leans_on_another_is_searched_with_it(question):
    assert leans(question)
    found = search_text(question, [FIRST])
    assert found.startswith(question + "\n")
    assert FIRST[0] in found
    assert found.endswith("WorkQueue.backoff add_after")


@pytest.mark.parametrize(
    "question",
    [
        "Where are the ranks of search legs combined?",
        "operator/plan.py",
        "fuse",
        "MarkerFilter.feed",
        "def retry(self):",
        "어떻게 비밀 키가 가려지나요?",
        "How does the gateway cool down a silent model?",
    ],
)
def test_a_question_that_stands_alone_is_searched_alone(question):
    assert search_text(question, [FIRST]) == question


def test_a_first_question_is_searched_as_it_is():
    assert search_text("And why?", []) == "And why?"


def test_follow_ups_of_follow_ups_reach_back_to_the_question_they_all_lean_on():
    history = [("Where are unrelated lists parsed?", "-"), FIRST, ("and why?", "because")]
    found = search_text("is it tested?", history)
    assert found == f"is it tested?\nand why?\n{FIRST[0]}"


def test_turns_alternate_whatever_came():
    turns = [
        ("assistant", "welcome"),
        ("user", "a"),
        ("user", "b"),
        ("assistant", "c [1]"),
        ("assistant", "d"),
        ("user", "unanswered"),
    ]
    assert pair_turns(turns) == [("a\nb", "c\nd")]
    assert pair_turns([]) == []


def test_an_earlier_answer_loses_its_markers_and_its_list():
    answer = "It waits [1] and adds [2, 3].\n\nSources:\n[1] app a.py:1-4 @0000000\n[2] app b.py:1-2 @0000000"
    assert plain(answer) == "It waits and adds."
    assert plain("Sources:\nare good") == "Sources:\nare good"


def test_the_latest_turns_that_fit_are_told_again():
    history = [(f"question {n}", "word " * 40) for n in range(9)]
    kept = fitting(history, 150)
    assert kept == [(asked, answered) for asked, answered in history[-len(kept) :]]
    assert 0 < len(kept) < 4
    assert fitting(history, 10_000) == history[-4:]
    assert fitting([("long " * 1000, "short")], 10_000)[0][0].endswith(" …")


@given(st.text(max_size=300), st.integers(0, 50))
def test_a_text_is_cut_to_its_tokens(text, budget):
    cut = within(text, budget)
    assert text.startswith(cut)
    assert estimate_tokens(cut) <= budget
    assert cut == text or estimate_tokens(text) > budget
