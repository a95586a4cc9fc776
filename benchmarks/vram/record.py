"""Measured values for the unit tests, which run no server: the geometries and what was reported, with their origin."""

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from benchmarks.vram.compare import TERMS, Row

COLUMNS = ["contextTokens", "slots", "ubatch", "kvType", *TERMS]


def write_record(path: Path, origin: str, rows: Sequence[Row]) -> None:
    """Write the file that operator/tests/unit/vram reads; sizes in MiB as reported."""
    names = list(dict.fromkeys(row.model for row in rows))
    models = ",\n".join(_model(name, [row for row in rows if row.model == name]) for name in names)
    head = f'{{"origin": {json.dumps(origin)},\n "columns": {json.dumps(COLUMNS)},\n "models": {{\n'
    path.write_text(f"{head}{models}\n }}}}\n")


def _model(name: str, rows: Sequence[Row]) -> str:
    """Return a model's part of the file, one row a line."""
    geometry = json.dumps(asdict(rows[0].geometry))
    lines = [json.dumps([*astuple(row.point), *astuple(row.reported)]) for row in rows]
    return f'  {json.dumps(name)}: {{"geometry": {geometry},\n   "rows": [\n    ' + ",\n    ".join(lines) + "]}"
