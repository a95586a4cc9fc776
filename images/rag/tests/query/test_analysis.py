"""Reading a query: its class, names and words."""

import pytest
from coderag_rag.query.analysis import analyse, symbol_spellings
from coderag_rag.query.lexicon import Lexicon
from coderag_rag.query.weights import QueryClass
from hypothesis import given
from hypothesis import strategies as st

TRACE = """Traceback (most recent call last):
  File "app/queue.py", line 12, in get
    raise KeyError(key)
KeyError: 'a'"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("WorkQueue.retry", QueryClass.SYMBOL),
        ("work_queue", QueryClass.SYMBOL),
        ("retry()", QueryClass.SYMBOL),
        ("def retry", QueryClass.SYMBOL),
        ("std::vector", QueryClass.SYMBOL),
        ("retry with exponential backoff in the work queue", QueryClass.PROSE),
        ("work queue", QueryClass.PROSE),
        ("작업 큐는 어떻게 재시도하나요?", QueryClass.KOREAN),
        ("WorkQueue 는 언제 다시 시도하나요", QueryClass.KOREAN),
        ("ㅋㅋ 왜 안 돼", QueryClass.KOREAN),
        ("재시도", QueryClass.KOREAN),
        ("go", QueryClass.SYMBOL),
        ("os.path", QueryClass.SYMBOL),
        ("workqueue.py", QueryClass.PATH),
        ("operator/engine/workqueue.py", QueryClass.PATH),
        ("./operator/engine", QueryClass.PATH),
        ("operator/engine/workqueue.py:12", QueryClass.PATH),
        ("operator/engine/workqueue.py:12:4", QueryClass.PATH),
        ("src/Main.java#L10-L20", QueryClass.PATH),
        ("where is operator/plan.py used", QueryClass.PROSE),
        ("https://example.org/a/b", QueryClass.PROSE),
        (TRACE, QueryClass.ERROR_TRACE),
        ("panic: runtime error: index out of range", QueryClass.ERROR_TRACE),
        ("at com.app.Main.run (Main.java:42)", QueryClass.ERROR_TRACE),
        ("ValueError: bad literal", QueryClass.ERROR_TRACE),
        ("for (int i = 0; i < n; i++) {", QueryClass.CODE),
        ("if a == b && c:", QueryClass.CODE),
        ("def retry(self, key):", QueryClass.CODE),
        ("from a.b import c, d as (e)", QueryClass.CODE),
    ],
)
def test_a_query_has_a_class(text, kind):
    assert analyse(text).kind is kind


def test_the_words_of_a_korean_question_are_known_in_english_too():
    lexicon = Lexicon({"토큰": "token", "검증": "validate"})
    query = analyse("`JwtAuth`의 토큰 검증은 어디에서", lexicon)
    assert (query.kind, query.identifiers) == (QueryClass.KOREAN, ("JwtAuth",))
    assert query.english == "`JwtAuth` token validate"
    assert query.words >= analyse("token validate").words | analyse("토큰 검증은").words
    assert query.bilingual == f"{query.text}\n{query.english}"


def test_a_question_without_korean_words_is_the_same_in_english():
    query = analyse("where is the token validated", Lexicon({"토큰": "token"}))
    assert query.text == query.english == query.bilingual


def test_only_words_that_look_like_code_are_names_in_prose():
    assert analyse("where does WorkQueue.retry call add_after twice").identifiers == ("WorkQueue.retry", "add_after")


def test_a_bare_word_is_a_name_when_it_is_the_whole_query():
    assert analyse("retry").identifiers == ("retry",)


def test_separators_of_all_languages_mean_the_same():
    names = ["WorkQueue::retry", "WorkQueue#retry", "WorkQueue->retry", "WorkQueue.retry"]
    assert {analyse(name).identifiers for name in names} == {("WorkQueue.retry",)}


def test_a_name_is_looked_up_in_every_shorter_form():
    assert symbol_spellings(("a.B.c", "c")) == ["a.B.c", "B.c", "c"]


def test_common_words_do_not_count():
    assert analyse("where is the function that retries").words == analyse("retries").words


@pytest.mark.parametrize("text", ["tests of the queue", "pytest fixtures", "큐 테스트", "how is it tested"])
def test_asking_for_tests_is_noticed(text):
    assert analyse(text).wants_tests


def test_a_word_that_only_begins_like_test_asks_for_nothing():
    assert not analyse("attestation of testaments").wants_tests


@pytest.mark.parametrize(
    "text", ["what changed in retry", "since when is retry there", "release notes", "which version", "릴리스 목록"]
)
def test_a_question_about_past_changes_is_recognised(text):
    assert analyse(text).wants_changes


def test_other_questions_do_not_ask_for_past_changes():
    assert not analyse("exchange the queue unchanged").wants_changes


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    query = analyse(text)
    assert query.text == text
    assert all(name for name in symbol_spellings(query.identifiers))
