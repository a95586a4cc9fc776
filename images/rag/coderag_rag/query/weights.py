"""Every number that decides the order of hits, in one versioned file.

Change a number here and nowhere else, together with `VERSION` and with a measurement: the version is shown in
/v1/status, so that a judgement of quality can be tied to the numbers that produced it.

ranking/2 was chosen on three samples of docstring-to-function questions (300 each, keyword and symbol legs only, Python
only). All three were looked at while choosing, so their figures are no held-out result; the dense leg was not in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

VERSION = "ranking/2"


class QueryClass(StrEnum):
    """What kind of text a query is."""

    SYMBOL = "symbol"
    ERROR_TRACE = "error-trace"
    PROSE = "prose"
    CODE = "code"


class Leg(StrEnum):
    """One independent way to find chunks."""

    DENSE = "dense"
    KEYWORD = "keyword"
    SYMBOL = "symbol"


# Small k lets the first places count: 1 to 10 measured better than the usual 60 for code.
RRF_K = 10.0

OVERFETCH: Mapping[Leg, int] = MappingProxyType({Leg.DENSE: 100, Leg.KEYWORD: 100, Leg.SYMBOL: 20})

LEG_WEIGHTS: Mapping[QueryClass, Mapping[Leg, float]] = MappingProxyType(
    {
        QueryClass.SYMBOL: {Leg.DENSE: 0.3, Leg.KEYWORD: 1.0, Leg.SYMBOL: 2.0},
        QueryClass.ERROR_TRACE: {Leg.DENSE: 0.4, Leg.KEYWORD: 1.0, Leg.SYMBOL: 1.0},
        QueryClass.PROSE: {Leg.DENSE: 1.0, Leg.KEYWORD: 1.0, Leg.SYMBOL: 0.5},
        QueryClass.CODE: {Leg.DENSE: 1.0, Leg.KEYWORD: 1.0, Leg.SYMBOL: 0.7},
    }
)


# Where a file that opens without defining anything opens with its description: in prose queries it outbids the code.
DEFINING_LANGUAGES = frozenset({"python", "javascript", "typescript", "tsx", "go", "java", "rust", "c", "cpp"})


@dataclass(frozen=True)
class RankerWeights:
    """Boosts are added to 1, demotions are factors, and both multiply the fused score."""

    qualified_definition: float = 3.0
    definition: float = 1.5
    definition_words: float = 1.5
    path_words: float = 0.4
    coherence: float = 0.2
    file_opening: float = 0.6
    test_file: float = 0.3
    vendored_file: float = 0.3
    generated_file: float = 0.3
    chunks_per_file: int = 2


RANKER = RankerWeights()
