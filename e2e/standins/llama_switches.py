"""What goes wrong in the stand-in for llama-server: the switches, and those that a model file brings."""

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import gguf

MARK = re.compile(rb"standin:(\{[^}]*\})")
CRASH = b"standin:crash"
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Switches:
    """What goes wrong; as made, nothing does."""

    health: int = 200
    status: int = 0
    times: int = 0
    hang: bool = False
    block_metrics: bool = False
    token_seconds: float = 0.005
    cut_after: int = 0

    def changed(self, wanted: dict[str, Any]) -> "Switches":
        """Return the switches with some of them set; raises ValueError for what is none."""
        unknown = set(wanted) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"no such switch: {', '.join(sorted(unknown))}; there are {', '.join(asdict(self))}")
        return replace(self, **wanted)


def load(model: Path) -> Switches:
    """Return the switches that a model file brings; raises ValueError for one that a real server cannot load."""
    try:
        gguf.GGUFReader(model)
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(f"failed to load model, '{model}': {error}") from error
    with model.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if CRASH in head:
        raise ValueError(f"failed to load model, '{model}': its template raises")
    found = MARK.search(head)
    return Switches().changed(json.loads(found.group(1))) if found else Switches()
