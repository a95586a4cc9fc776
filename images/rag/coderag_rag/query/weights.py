"""The numbers that decide the order of hits, read from `ranking.toml` and checked against a schema.

They are data and not code, so that they can be compared, reviewed and tied to a measurement by their version.
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.dataclasses import dataclass

_FILE = Path(__file__).with_name("ranking.toml")


class QueryClass(StrEnum):
    """What kind of text a query is."""

    SYMBOL = "symbol"
    ERROR_TRACE = "error-trace"
    PATH = "path"
    PROSE = "prose"
    KOREAN = "korean"
    CODE = "code"


class Leg(StrEnum):
    """One independent way to find chunks."""

    DENSE = "dense"
    KEYWORD = "keyword"
    SYMBOL = "symbol"
    PATH = "path"


class InvalidRanking(Exception):  # noqa: N818 - reads as the state it names
    """The file with the numbers is not what it should be; the message names the field."""


_Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Factor = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Version = Annotated[str, StringConstraints(pattern=r"^ranking/[1-9][0-9]*$")]
_CONFIG = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RankerWeights:
    """Boosts are added to 1, demotions are factors, and both multiply the fused score."""

    qualified_definition: _Weight
    definition: _Weight
    definition_words: _Weight
    path_words: _Weight
    coherence: _Weight
    file_opening: _Factor
    test_file: _Factor
    changelog_file: _Factor
    vendored_file: _Factor
    generated_file: _Factor
    chunks_per_file: Annotated[int, Field(ge=1)]
    further_chunk: _Factor
    repository_share: _Factor
    defining_languages: frozenset[str]


class Ranking(BaseModel):
    """The whole file."""

    model_config = _CONFIG
    version: _Version
    overfetch: dict[Leg, Annotated[int, Field(ge=1, le=1000)]]
    legs: dict[QueryClass, dict[Leg, _Weight]]
    ranker: RankerWeights

    @model_validator(mode="after")
    def complete(self) -> "Ranking":
        """Refuse a table that leaves out a class or a leg: a missing weight must not become 0 by accident."""
        tables = {"overfetch": self.overfetch} | {f"legs.{kind}": self.legs.get(kind, {}) for kind in QueryClass}
        for where, table in tables.items():
            if missing := sorted(set(Leg) - set(table)):
                raise ValueError(f"{where} lacks {', '.join(missing)}: give every leg a number")
        return self


def parse_ranking(text: str) -> Ranking:
    """Return the numbers of a file; raises InvalidRanking, which names the field."""
    try:
        return Ranking.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidRanking(f"ranking.toml is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidRanking(f"ranking.toml: {where}: {first['msg']}") from None


_RANKING = parse_ranking(_FILE.read_text(encoding="utf-8"))

VERSION: str = _RANKING.version
OVERFETCH: Mapping[Leg, int] = MappingProxyType(_RANKING.overfetch)
LEG_WEIGHTS: Mapping[QueryClass, Mapping[Leg, float]] = MappingProxyType(_RANKING.legs)
RANKER: RankerWeights = _RANKING.ranker
