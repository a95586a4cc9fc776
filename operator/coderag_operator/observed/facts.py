"""The facts ConfigMap: what must outlive pods and operator restarts and cannot be read from a live object.

An entry that cannot be read is worth nothing and is dropped: it is found out again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coderag_operator.observed.entries import number_of, read_entry, text_of
from coderag_operator.observed.roles import RoleState, read_role, write_role

MODEL, FETCH, ROLE, KEYS = "model.", "fetch.", "role.", "keys"


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
    """Everything in the ConfigMap: models and failed fetches by SHA-256, roles, the UID of the keys Secret we made."""

    models: Mapping[str, Fetched] = field(default_factory=dict)
    fetches: Mapping[str, Failed] = field(default_factory=dict)
    keys_uid: str = ""
    roles: Mapping[str, RoleState] = field(default_factory=dict)


def read_facts(values: Mapping[str, str]) -> Facts:
    """Return the facts that the data of the ConfigMap hold."""
    found = {name: document for name, text in values.items() if (document := read_entry(text)) is not None}
    models = {name.removeprefix(MODEL): read_fetched(one) for name, one in found.items() if name.startswith(MODEL)}
    fetches = {name.removeprefix(FETCH): read_failed(one) for name, one in found.items() if name.startswith(FETCH)}
    roles = {name.removeprefix(ROLE): read_role(one) for name, one in found.items() if name.startswith(ROLE)}
    return Facts(models, fetches, str(found.get(KEYS, {}).get("uid", "")), roles)


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
