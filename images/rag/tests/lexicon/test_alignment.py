"""IBM's model 1: which word stands for which."""

from coderag_lexicon.alignment import translations
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.sets(st.sampled_from("abcdefg"), min_size=1)


def test_words_that_stand_together_again_and_again_belong_together():
    # The example of every textbook: only `house` is always there with `Haus`, only `the` with `das`.
    pairs = [(["das", "haus"], ["the", "house"]), (["das", "buch"], ["the", "book"]), (["ein", "buch"], ["a", "book"])]
    table = translations(pairs * 10, 20)
    assert {source: max(row, key=row.get) for source, row in table.items()} == {
        "das": "the", "haus": "house", "buch": "book", "ein": "a",
    }  # fmt: skip
    assert table["haus"]["house"] > table["haus"]["the"]


def test_what_was_seen_more_often_is_surer():
    rare, often = translations([(["가"], ["key"])], 1), translations([(["가"], ["key"])] * 9, 1)
    assert rare["가"]["key"] < often["가"]["key"]


def test_words_that_stand_nowhere_together_are_no_translation():
    table = translations([(["가"], ["key"]), (["나"], ["value"])], 3)
    assert "value" not in table["가"]


@given(st.lists(st.tuples(WORDS, WORDS), max_size=8), st.integers(0, 4))
def test_what_a_word_may_mean_adds_up_to_less_than_one(pairs, rounds):
    for row in translations(pairs, rounds).values():
        assert 0 < sum(row.values()) < 1
        assert all(share > 0 for share in row.values())


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8))
def test_the_order_of_the_pairs_says_nothing(pairs):
    forwards, backwards = translations(pairs, 3), translations(pairs[::-1], 3)
    assert {source: {word: round(share, 9) for word, share in row.items()} for source, row in forwards.items()} == {
        source: {word: round(share, 9) for word, share in row.items()} for source, row in backwards.items()
    }
