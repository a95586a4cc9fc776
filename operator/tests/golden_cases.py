"""The golden cases: a name, what it shows, a patch on the base spec, what is missing in the cluster, what nodes offer.

The integration tests apply every rendered object to a real API server, so that what is golden is also accepted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from coderag_operator.api import Stack
from coderag_operator.api.embedding import Lodging
from coderag_operator.desired import Inputs
from coderag_operator.sharing import Sharing
from tests.specs import make_inputs, make_stack

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """One case; `rendered` is the file with what it must give."""

    name: str
    about: str
    stack: Stack
    inputs: Inputs

    @property
    def rendered(self) -> Path:
        """Return the file with the expected result."""
        return FOLDER / "rendered" / f"{self.name}.yaml"


def read_cases() -> Iterator[Case]:
    """Yield every case, in the order of their names."""
    for path in sorted((FOLDER / "cases").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        stack = make_stack(document.get("patch", {}), name=document.get("name", "demo"))
        inputs = without(make_inputs(stack), document.get("missing", {}))
        if document.get("indexed") is False:
            inputs = replace(inputs, indexed=False)
        if live := document.get("live"):
            inputs = replace(inputs, live=Lodging(**live), serving=frozenset(document.get("serving", ())))
        if found := document.get("sharing"):
            inputs = replace(inputs, sharing=Sharing(**found, reason="the nodes say so"))
        yield Case(path.stem, document["about"], stack, inputs)


def without(inputs: Inputs, missing: dict[str, Any]) -> Inputs:
    """Return the inputs without what is missing: all of a kind, or the names in a list."""
    return replace(
        inputs,
        secrets=_remaining(inputs.secrets, missing.get("secrets", ())),
        models=_remaining(inputs.models, missing.get("models", ())),
        cache_uid="" if missing.get("cache") else inputs.cache_uid,
        embedding_uid="" if missing.get("cache") else inputs.embedding_uid,
    )


def _remaining(found: Any, missing: Any) -> dict[str, Any]:
    return {name: fact for name, fact in found.items() if missing is not True and name not in missing}
