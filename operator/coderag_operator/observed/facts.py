"""The facts ConfigMap: what must outlive pods and operator restarts and cannot be read from a live object.

An entry that cannot be read is worth nothing and is dropped: it is found out again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from coderag_operator.observed.entries import number_of, read_entry, text_of
from coderag_operator.observed.evaluation import Evaluation, read_fact, write_fact
from coderag_operator.observed.live_model import LiveModel, read_live, write_live
from coderag_operator.observed.roles import RoleState, read_role, write_role
from coderag_operator.observed.vram import (
    Measured,
    Measurement,
    Reading,
    Shortfall,
    read_measured,
    read_measurement,
    read_reading,
    read_shape,
    read_shortfall,
    write_measured,
    write_reading,
)
from coderag_operator.vram.terms import Shape

MODEL, FETCH, ROLE, KEYS, LIVE = "model.", "fetch.", "role.", "keys", "embedding.live"
EVALUATION = "evaluation"
Fact = TypeVar("Fact")
GEOMETRY, SHAPE, MEASURED, SHORTFALL, GPU = "geometry.", "shape.", "measured.", "shortfall.", "gpu."


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model file that is present and verified on the claim with this UID."""

    claim_uid: str
    size_bytes: int = 0
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The last failed fetch of a model file; `failed_at` is in seconds of the epoch."""

    attempts: int
    reason: str
    message: str
    final: bool
    job_uid: str
    failed_at: int


@dataclass(frozen=True)
class Facts:
    """Everything in the ConfigMap: models and failed fetches by SHA-256, roles, the UID of the keys Secret we made.

    live: the embedding model of the index that answers; evaluation: what the last run found
    geometries: by the key of the model file; shapes, measured, shortfalls: by role; gpus: by the name of the probe
    """

    models: Mapping[str, Fetched] = field(default_factory=dict)
    fetches: Mapping[str, Failed] = field(default_factory=dict)
    keys_uid: str = ""
    roles: Mapping[str, RoleState] = field(default_factory=dict)
    geometries: Mapping[str, Reading] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    shortfalls: Mapping[str, Shortfall] = field(default_factory=dict)
    gpus: Mapping[str, Measurement] = field(default_factory=dict)
    live: LiveModel | None = None
    evaluation: Evaluation | None = None


def read_facts(values: Mapping[str, str]) -> Facts:
    """Return the facts that the data of the ConfigMap hold."""
    found = {name: document for name, text in values.items() if (document := read_entry(text)) is not None}
    return Facts(
        models=select(found, MODEL, read_fetched),
        fetches=select(found, FETCH, read_failed),
        keys_uid=str(found.get(KEYS, {}).get("uid", "")),
        roles=select(found, ROLE, read_role),
        geometries=select(found, GEOMETRY, read_reading),
        shapes=select(found, SHAPE, read_shape),
        measured=select(found, MEASURED, read_measured),
        shortfalls=select(found, SHORTFALL, read_shortfall),
        gpus=select(found, GPU, read_measurement),
        live=read_live(found.get(LIVE, {})),
        evaluation=read_fact(found.get(EVALUATION, {})),
    )


def select(
    found: Mapping[str, dict[str, Any]], prefix: str, read: Callable[[Mapping[str, Any]], Fact | None]
) -> dict[str, Fact]:
    """Return the facts whose names have this prefix, by what follows it; those that cannot be read are left out."""
    facts = {name.removeprefix(prefix): read(entry) for name, entry in found.items() if name.startswith(prefix)}
    return {name: fact for name, fact in facts.items() if fact is not None}


def write_facts(facts: Facts) -> dict[str, str]:
    """Return the data of the ConfigMap; equal facts give equal text."""
    entries: dict[str, dict[str, Any]] = {}
    for digest, model in facts.models.items():
        known = {"claimUid": model.claim_uid, "sizeBytes": model.size_bytes, "header": dict(model.header)}
        entries[MODEL + digest] = known
    for digest, fetch in facts.fetches.items():
        entries[FETCH + digest] = {
            "attempts": fetch.attempts, "reason": fetch.reason, "message": fetch.message, "final": fetch.final,
            "jobUid": fetch.job_uid, "failedAt": fetch.failed_at,
        }  # fmt: skip
    entries |= {ROLE + role: entry for role, state in facts.roles.items() if (entry := write_role(state))}
    entries |= {GEOMETRY + key: write_reading(reading) for key, reading in facts.geometries.items()}
    entries |= {SHAPE + role: asdict(shape) for role, shape in facts.shapes.items()}
    entries |= {MEASURED + role: write_measured(measured) for role, measured in facts.measured.items()}
    entries |= {SHORTFALL + role: asdict(shortfall) for role, shortfall in facts.shortfalls.items()}
    entries |= {GPU + name: asdict(measurement) for name, measurement in facts.gpus.items()}
    if facts.evaluation:
        entries[EVALUATION] = write_fact(facts.evaluation)
    if facts.live:
        entries[LIVE] = write_live(facts.live)
    if facts.keys_uid:
        entries[KEYS] = {"uid": facts.keys_uid}
    return {name: json.dumps(entry, sort_keys=True, ensure_ascii=False) for name, entry in sorted(entries.items())}


def read_fetched(entry: Mapping[str, Any]) -> Fetched:
    """Return a model fact; what is missing or of another type counts as unknown."""
    header = entry.get("header")
    return Fetched(
        text_of(entry, "claimUid"), number_of(entry, "sizeBytes"), header if isinstance(header, dict) else {}
    )


def read_failed(entry: Mapping[str, Any]) -> Failed:
    """Return a failed fetch; what is missing or of another type counts as unknown."""
    return Failed(
        attempts=number_of(entry, "attempts"),
        reason=text_of(entry, "reason") or "Unknown",
        message=text_of(entry, "message"),
        final=entry.get("final") is True,
        job_uid=text_of(entry, "jobUid"),
        failed_at=number_of(entry, "failedAt"),
    )
