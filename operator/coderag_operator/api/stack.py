"""From the object that the API server holds to a Stack, or to a list of what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coderag_operator.api.spec import StackSpec

GROUP, VERSION, PLURAL, KIND = "coderag.dev", "v1alpha1", "coderagstacks", "CodeRagStack"
API_VERSION = f"{GROUP}/{VERSION}"
NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$"
# The Services of stack x that follow a failover are x-active-chat and x-active-code.
NAME_RESERVED = "-active"
NAME_MESSAGE = (
    "the name of a stack must start with a letter, hold only a-z, 0-9 and -, have at most 24 characters "
    f"and not end in {NAME_RESERVED}"
)
NAME_REMEDY = "create the stack again under a shorter or simpler name"

REMEDIES = {
    "extra_forbidden": "correct its spelling or remove it",
    "missing": "add it",
}


@dataclass(frozen=True)
class Stack:
    """A CodeRagStack whose spec is valid, defaults filled in."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: StackSpec


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong: where, what, and what to do."""

    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.remedy}"


class InvalidSpec(Exception):  # noqa: N818  (named after what it says, like kopf's and pydantic's own)
    """The object is no valid CodeRagStack; `violations` says everything that is wrong with it."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(str(violation) for violation in violations))
        self.violations = violations


def parse(body: Mapping[str, Any]) -> Stack:
    """Return the stack that the object describes, or raise InvalidSpec."""
    metadata = body["metadata"]
    wrong_name = () if good_name(metadata["name"]) else (Violation("metadata.name", NAME_MESSAGE, NAME_REMEDY),)
    try:
        spec = StackSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidSpec((*wrong_name, *(_violation(detail) for detail in details))) from None
    if wrong_name:
        raise InvalidSpec(wrong_name)
    return Stack(metadata["name"], metadata["namespace"], metadata["uid"], metadata.get("generation", 0), spec)


def good_name(name: str) -> bool:
    """Return whether a stack can have this name: every child's fits, and none is a child's of another stack."""
    return bool(re.match(NAME_PATTERN, name)) and not name.endswith(NAME_RESERVED)


def _violation(detail: ErrorDetails) -> Violation:
    context = detail.get("ctx", {})
    path = _path((*detail["loc"], *filter(None, [context.get("field")])))
    remedy = (
        context.get("remedy") or REMEDIES.get(detail["type"]) or f"see kubectl explain {PLURAL}.{_schema_path(path)}"
    )
    return Violation(path, _message(detail), remedy)


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown field"
    return detail["msg"]


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "spec" + "".join(parts)


def _schema_path(path: str) -> str:
    return re.sub(r"\[\d+\]", "", path)
