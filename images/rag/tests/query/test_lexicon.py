"""Korean words of a query in English."""

import unicodedata

import pytest
from coderag_rag.query.lexicon import LONGEST, NO_LEXICON, InvalidLexicon, Lexicon, beginnings, korean_words
from hypothesis import given
from hypothesis import strategies as st

LEXICON = Lexicon({"토큰": "token", "인증": "authentication", "인증서": "certificate", "값": "value", "에서": "from"})
HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1)


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("인증 토큰", "authentication token"),
        ("인증서는", "certificate"),  # the longest beginning that is known
        ("인증을 토큰으로", "authentication token"),
        ("토큰은 어디에서 검증되나요?", "token ?"),  # what is not known is left out
        ("`retry_policy` 값", "`retry_policy` value"),
        ("값을", "값을"),  # a word of one syllable is known by all of it only
        ("어디?", "어디?"),
        ("RetryPolicy 어디", "RetryPolicy"),
        ("Qdrant에서 인증", "Qdrant authentication"),  # a particle
        ("retry()에서 인증", "retry() authentication"),
        ("HTTP인증서", "HTTP certificate"),  # too long for a particle
        ("where is the token", "where is the token"),
        ("トークン", "トークン"),
    ],
)
def test_korean_words_are_said_in_english(text, english):
    assert LEXICON.english(text) == english


def test_decomposed_syllables_are_the_same_words():
    assert LEXICON.english(unicodedata.normalize("NFD", "인증 토큰")) == "authentication token"


def test_without_a_lexicon_a_text_stays_as_it_is():
    assert NO_LEXICON.english("인증  토큰") == "인증  토큰"


@given(st.text())
def test_some_text_is_always_left(text):
    assert LEXICON.english(text).strip() or not text.strip()


@given(HANGUL)
def test_a_word_begins_with_each_of_its_beginnings(word):
    found = beginnings(word)
    assert all(word.startswith(one) for one in found)
    assert sorted(map(len, found), reverse=True) == list(map(len, found))
    assert found[0] == word[:LONGEST]


def test_the_words_of_a_text_are_those_without_particles():
    assert korean_words("GPU에 인증서를, `retry`는 값") == ["인증서를", "값"]


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "korean.tsv"
    file.write_text("".join(Lexicon.lines({"토큰": "token", "값": "value"})), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "값\tvalue\n토큰\ttoken\n"
    assert len(Lexicon.read(file)) == 2
    assert Lexicon.read(file).english("토큰 값") == "token value"


@pytest.mark.parametrize("line", ["토큰 token", "토큰\t", "token\t토큰", "", "\ttoken"])
def test_a_line_that_is_none_of_a_lexicon_is_named(tmp_path, line):
    file = tmp_path / "korean.tsv"
    file.write_text(f"값\tvalue\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidLexicon, match=r"korean\.tsv:2"):
        Lexicon.read(file)
