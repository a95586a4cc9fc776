"""The file with the ranker's numbers: complete, checked, and named by its version in every answer."""

import re
from pathlib import Path

import pytest
from coderag_rag.query import weights
from coderag_rag.query.weights import InvalidRanking, parse_ranking

TEXT = Path(weights.__file__).with_name("ranking.toml").read_text()


def test_the_file_in_the_package_is_what_the_ranker_uses():
    parsed = parse_ranking(TEXT)
    assert (parsed.version, parsed.ranker, parsed.legs) == (weights.VERSION, weights.RANKER, weights.LEG_WEIGHTS)


def changed(pattern, replacement):
    text, count = re.subn(pattern, replacement, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1
    return text


@pytest.mark.parametrize(
    ("pattern", "replacement", "names"),
    [
        (r'^version = .*$', 'version = "3"', "version"),
        (r"^dense = .*$", "dense = nan", "overfetch.dense"),
        (r"^symbol = 2.0$", "symbol = nan", "legs.symbol.symbol"),
        (r"^coherence = .*$", "coherence = -1", "ranker.coherence"),
        (r"^coherence = .*$\n", "", "ranker.coherence"),
        (r"^coherence = ", "coherense = 1\ncoherence = ", "ranker.coherense"),
        (r"^test_file = .*$", "test_file = 1.5", "ranker.test_file"),
        (r"^changelog_file = .*$", "changelog_file = 0", "ranker.changelog_file"),
        (r"^chunks_per_file = .*$", "chunks_per_file = 0", "ranker.chunks_per_file"),
        (r"^further_chunk = .*$", "further_chunk = 1.1", "ranker.further_chunk"),
        (r"^symbol = 2.0$\n", "", "legs.symbol lacks symbol"),
        (r"^\[legs.korean\]", "[legs.klingon]", "legs.klingon"),
        (r"^path = 20$\n", "", "overfetch lacks path"),
        (r"^\[ranker\]", "[ranker", "not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_number_is_refused_by_name(pattern, replacement, names):
    with pytest.raises(InvalidRanking, match=re.escape(names)):
        parse_ranking(changed(pattern, replacement))
