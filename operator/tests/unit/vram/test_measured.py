"""What was measured on a real llama-server, beside what the formulae say; `benchmarks/vram.py --record` wrote it."""

import json
from pathlib import Path
from typing import Any

import pytest
from coderag_model.geometry import Geometry
from coderag_operator.vram.builds import NEW
from coderag_operator.vram.compute import PROCESSOR_STATES, graph_bytes
from coderag_operator.vram.estimate import Estimate, Shape, estimate
from coderag_operator.vram.terms import MIB

MEASURED = json.loads((Path(__file__).parent / "measured.json").read_text())
PRINTED = 0.0101  # the server's log has two digits
ROWS = [
    pytest.param(model["geometry"], dict(zip(MEASURED["columns"], row, strict=True)), id=f"{name}-{row[:4]}")
    for name, model in MEASURED["models"].items()
    for row in model["rows"]
]


def test_the_measurements_say_where_they_come_from() -> None:
    assert "build 11434" in MEASURED["origin"]
    assert len(MEASURED["models"]) == 6


@pytest.mark.parametrize(("geometry", "row"), ROWS)
def test_every_term_is_what_the_server_reported(geometry: dict[str, Any], row: dict[str, Any]) -> None:
    model = Geometry(**{name: tuple(value) if isinstance(value, list) else value for name, value in geometry.items()})
    shape = Shape(model.layers + 1, row["contextTokens"], row["slots"], row["kvType"], row["ubatch"])
    found = estimate(model, shape, NEW, 0.0)
    duplicate = 0 if model.tied else model.input_bytes / MIB  # the processor keeps one copy of a tied matrix
    assert of(found, "weights") + duplicate == pytest.approx(row["weights"], abs=PRINTED)
    assert of(found, "kv") == pytest.approx(row["kv"], abs=PRINTED)
    assert next(term.mib for term in found.host if term.name == "output") == pytest.approx(row["output"], abs=PRINTED)
    assert row["compute"] * 0.99 <= graph_bytes(model, shape, NEW, PROCESSOR_STATES) / MIB <= row["compute"] * 1.05


def of(found: Estimate, name: str) -> float:
    return next(term.mib for term in found.device if term.name == name)
