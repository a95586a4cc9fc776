"""What the ingestion worker tells of the index that answers becomes a fact that outlives the spec's change."""

import pytest
from coderag_operator.api.embedding import Lodging
from coderag_operator.observed.facts import Facts, read_facts, write_facts
from coderag_operator.observed.index import Served
from coderag_operator.observed.live_model import LiveModel, learn_live

MINI, KURE = Lodging("all-MiniLM-L6-v2"), Lodging("KURE-v1", "folder-1")
OTHER = Lodging("KURE-v1", "folder-2")
LIVE = LiveModel("i", KURE)


@pytest.mark.parametrize(
    ("known", "served", "wanted", "expected"),
    [
        (None, Served(), MINI, None),
        (LIVE, Served(), MINI, LIVE),
        (LIVE, Served("j", ""), MINI, LIVE),
        (None, Served("i", "KURE-v1"), KURE, LIVE),
        (LIVE, Served("i", "KURE-v1"), OTHER, LIVE),
        (LIVE, Served("j", "KURE-v1"), OTHER, LiveModel("j", OTHER)),
        (LIVE, Served("i", "KURE-v1"), MINI, LIVE),
        (LIVE, Served("j", "KURE-v1"), MINI, LiveModel("j", KURE)),
        (LIVE, Served("j", "all-MiniLM-L6-v2"), MINI, LiveModel("j", MINI)),
        (None, Served("j", "all-MiniLM-L6-v2"), KURE, LiveModel("j", MINI)),
        (None, Served("j", "gte-modernbert-base"), KURE, None),
    ],
    ids=[
        "nothing is served", "the worker is silent", "half an answer", "the first index", "other files are wanted",
        "other files took over", "another model is wanted", "other chunks by the old model", "another model took over",
        "the one in the image needs no spec", "a model of which nothing is known",
    ],
)  # fmt: skip
def test_the_model_of_the_index_that_answers_is_remembered(
    known: LiveModel | None, served: Served, wanted: Lodging, expected: LiveModel | None
) -> None:
    assert learn_live(known, served, wanted) == expected


@pytest.mark.parametrize("live", [None, LIVE, LiveModel("i", MINI)])
def test_the_fact_is_read_as_it_was_written(live: LiveModel | None) -> None:
    assert read_facts(write_facts(Facts(live=live))).live == live


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"model": 1}'])
def test_a_fact_that_cannot_be_read_is_none(text: str) -> None:
    assert read_facts({"embedding.live": text}).live is None
