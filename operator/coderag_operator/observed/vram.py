"""What must be remembered about memory: model geometries, the shapes in use, what servers measured, what fell short.

Entries of the facts ConfigMap. One that cannot be read is dropped: it is found out again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from coderag_model.geometry import Geometry

from coderag_operator.observed.entries import number_of, text_of
from coderag_operator.observed.serverlog import Buffers
from coderag_operator.vram.terms import Shape


@dataclass(frozen=True, slots=True)
class Reading:
    """What the header of a model file told: its geometry, or why there is none to plan with."""

    geometry: Geometry | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the server of one pod said about its buffers; None when its log said nothing."""

    pod_uid: str
    buffers: Buffers | None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """MiB that a role's server took beyond its plan, and why; `plan` names the plan that was wrong.

    `seen` are the ends of containers that were counted already, as pod UID and restart.
    """

    plan: str
    mib: int
    attempts: int
    reason: str
    seen: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Measurement:
    """MiB that were free on a node's GPU while no model server held any of it; `problem` where that was not told."""

    node: str
    driver: str
    free_mib: int = 0
    problem: str = ""


def read_measurement(entry: Mapping[str, Any]) -> Measurement:
    """Return what was measured of a GPU."""
    free = max(0, number_of(entry, "free_mib"))
    return Measurement(text_of(entry, "node"), text_of(entry, "driver"), free, text_of(entry, "problem"))


def read_reading(entry: Mapping[str, Any]) -> Reading | None:
    """Return what a fetch Job reported or a fact holds of a header, None when it is neither."""
    if problem := text_of(entry, "geometryProblem"):
        return Reading(None, problem)
    try:
        return Reading(Geometry.from_json(entry.get("geometry")))
    except ValueError:
        return None


def write_reading(reading: Reading) -> dict[str, Any]:
    """Return the fact of a header."""
    return {"geometry": reading.geometry.to_json()} if reading.geometry else {"geometryProblem": reading.problem}


def read_shape(entry: Mapping[str, Any]) -> Shape | None:
    """Return a shape, None when the entry is none."""
    numbers = {name: number_of(entry, name) for name in ("gpu_layers", "context_tokens", "slots", "ubatch")}
    kv_type = text_of(entry, "kv_type")
    usable = kv_type in ("f16", "q8_0") and numbers["gpu_layers"] >= 0
    usable = usable and all(value > 0 for name, value in numbers.items() if name != "gpu_layers")
    return Shape(**numbers, kv_type=kv_type) if usable else None


def read_measured(entry: Mapping[str, Any]) -> Measured:
    """Return what a server measured."""
    found = entry.get("buffers")
    if not isinstance(found, dict):
        return Measured(text_of(entry, "podUid"), None)
    weights, kv, compute, host = (mib_of(found, name) for name in ("weights", "kv", "compute", "host"))
    buffers = Buffers(weights, kv, compute, host, number_of(found, "offloaded"), number_of(found, "layers"))
    return Measured(text_of(entry, "podUid"), buffers)


def write_measured(measured: Measured) -> dict[str, Any]:
    """Return the fact of a measurement."""
    return {"podUid": measured.pod_uid, "buffers": measured.buffers and asdict(measured.buffers)}


def read_shortfall(entry: Mapping[str, Any]) -> Shortfall:
    """Return what fell short."""
    seen = entry.get("seen")
    return Shortfall(
        plan=text_of(entry, "plan"),
        mib=max(0, number_of(entry, "mib")),
        attempts=number_of(entry, "attempts"),
        reason=text_of(entry, "reason"),
        seen=tuple(one for one in seen if isinstance(one, str)) if isinstance(seen, list) else (),
    )


def mib_of(entry: Mapping[str, Any], name: str) -> float:
    """Return a size of an entry in MiB, 0 when it is none."""
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
