"""Keyword vectors: the same words for code and for questions about it."""

from coderag_rag.keyword import document_vector, query_vector, split_identifier, tokens
from hypothesis import given
from hypothesis import strategies as st


def weights(text, symbols=(), paths=()):
    vector = document_vector(text, symbols, paths)
    return dict(zip(vector.indices, vector.values, strict=True))


def token_id(word):
    [found] = query_vector(word).indices
    return found


def test_identifiers_are_split_and_kept_whole():
    assert tokens("retryPolicy HTTPServer_v2") == [
        "retrypolicy",
        "retri",
        "polici",
        "httpserver_v2",
        "http",
        "server",
        "2",
    ]
    assert split_identifier("parseJSONBody") == ["parse", "json", "body"]


def test_inflected_words_meet():
    assert tokens("caches cached caching") == ["cach"] * 3


def test_hangul_becomes_bigrams_and_other_scripts_stay_words():
    assert tokens("검색엔진 한 naïve") == ["검색", "색엔", "엔진", "한", "naïve"]


def test_decomposed_hangul_of_file_names_meets_composed_hangul():
    assert tokens("\u1100\u1165\u11b7\u1109\u1162\u11a8") == tokens("검색") == ["검색"]


def test_chinese_and_kana_become_bigrams_and_wide_letters_are_letters():
    assert tokens("検索エンジン ｒｅｔｒｙ") == ["検索", "索エ", "エン", "ンジ", "ジン", "retri"]


def test_digits_are_parts_of_their_own_and_the_whole_stays():
    assert tokens("sha256sum utf8 x86_64") == [
        "sha256sum",
        "sha",
        "256",
        "sum",
        "utf8",
        "utf",
        "8",
        "x86_64",
        "86",
        "64",
    ]


def test_a_token_longer_than_any_name_is_left_out():
    assert tokens("a" * 65 + " kept") == ["kept"]


def test_a_question_finds_the_identifier():
    assert set(query_vector("retry policy").indices) <= set(document_vector("def retryPolicy(): pass").indices)
    assert set(query_vector("retryPolicy").indices) <= set(document_vector("def retryPolicy(): pass").indices)


def test_symbols_weigh_more_than_mentions_and_paths_once():
    plain = weights("retry other", paths=["billing/pay.py", "billing/tax.py"])
    defined = weights("retry other", symbols=["retry"])
    assert defined[token_id("retry")] > plain[token_id("retry")]
    assert plain[token_id("billing")] == plain[token_id("retry")]


def test_repetition_saturates():
    assert weights("retry " * 100)[token_id("retry")] < 2.2


def test_small_words_are_left_out_of_a_query_unless_there_are_no_others():
    assert query_vector("where is the retry policy for a queue").indices == query_vector("retry policy queue").indices
    assert len(query_vector("how to get it").indices) == 4
    assert query_vector("the").indices == document_vector("the").indices


def test_small_words_stay_where_they_are_part_of_a_name():
    assert set(query_vector("the file of get_by_id").indices) == {token_id(word) for word in ("get", "by", "id")} | set(
        document_vector("get_by_id").indices
    )


def test_a_chunk_is_found_by_the_name_of_the_definition_that_goes_on_in_it():
    vector = document_vector("total += 1", within="Invoice.settle")
    assert {token_id("invoice"), token_id("settle")} <= set(vector.indices)


@given(st.text(max_size=200))
def test_a_query_holds_a_word_wherever_a_text_does(text):
    assert bool(query_vector(text).indices) == bool(tokens(text))


def test_punctuation_gives_an_empty_query():
    assert query_vector("?! ...").indices == []


@given(st.text(max_size=200))
def test_any_text_gives_a_valid_sparse_vector(text):
    vector = document_vector(text, [text], [text])
    assert vector.indices == sorted(set(vector.indices))
    assert all(0 <= index < 2**32 for index in vector.indices)
    assert all(0 < value < 2.2 for value in vector.values)
    assert set(query_vector(text).indices) <= set(vector.indices)
