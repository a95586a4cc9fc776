"""Which embedding model the index that answers was built with: what ingestion tells, with where the files lie.

The spec names one model only. Once another one is wanted, nothing but this fact says where the files of the one are
that the index still needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coderag_operator.api.embedding import IN_IMAGE, Lodging
from coderag_operator.observed.entries import text_of
from coderag_operator.observed.index import Served


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The model of the index with this identity."""

    identity: str
    lodging: Lodging


def learn_live(known: LiveModel | None, served: Served, wanted: Lodging) -> LiveModel | None:
    """Return the model of the index that answers; what cannot be told leaves things as they are."""
    if not served.model or not served.identity:
        return known
    if known and (known.identity, known.lodging.model) == (served.identity, served.model):
        return known
    if served.model == wanted.model:
        return LiveModel(served.identity, wanted)
    if known and known.lodging.model == served.model:  # other chunks or another redaction, by the same model
        return LiveModel(served.identity, known.lodging)
    # Only of the one in the image is known where it is, without a spec that names it.
    return LiveModel(served.identity, Lodging(served.model)) if served.model == IN_IMAGE else None


def read_live(entry: Mapping[str, Any]) -> LiveModel | None:
    """Return the fact of an entry, None where it names no model."""
    model = text_of(entry, "model")
    return LiveModel(text_of(entry, "identity"), Lodging(model, text_of(entry, "place"))) if model else None


def write_live(live: LiveModel) -> dict[str, Any]:
    """Return the entry of the fact."""
    return {"identity": live.identity, "model": live.lodging.model, "place": live.lodging.place}
