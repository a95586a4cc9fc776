"""What the Job leaves behind: one JSON object in the container's termination message, of at most 4,096 bytes."""

import json
from pathlib import Path
from typing import Any

from coderag_model.bounded import GgufError
from coderag_model.errors import FetchError
from coderag_model.fetch import ModelFile
from coderag_model.folder import Folder
from coderag_model.opening import Model

LIMIT = 4096
MESSAGE = 600
TOO_LONG = f"the layers differ too much for a report of {LIMIT} bytes"
KUBELET_FILE = Path("/dev/termination-log")


def describe_success(found: ModelFile) -> dict[str, Any]:
    """Return the report on a file that can be served."""
    return {
        "ok": True,
        "file": str(found.path),
        "sizeBytes": found.model.size,
        "sha256": found.sha256,
        **describe_header(found.model),
    }


def describe_folder(found: Folder) -> dict[str, Any]:
    """Return the report on a folder that can be served."""
    return {"ok": True, "file": str(found.path), "sizeBytes": found.size, "files": found.files}


def describe_geometry(model: Model) -> dict[str, Any]:
    """Return the report on a file that may not even be here yet."""
    return {"ok": True, "sizeBytes": model.size, **describe_header(model)}


def describe_unmeasured(error: FetchError) -> dict[str, Any]:
    """Return the report on a file whose header cannot be read ahead of the rest."""
    return {"ok": True, "geometryProblem": str(error)[:MESSAGE]}


def describe_header(model: Model) -> dict[str, Any]:
    """Return the summary, and the geometry or why it is not known."""
    if isinstance(model.geometry, GgufError):
        return {"header": model.header.to_json(), "geometryProblem": str(model.geometry)[:MESSAGE]}
    return {"header": model.header.to_json(), "geometry": model.geometry.to_json()}


def describe_failure(error: FetchError) -> dict[str, Any]:
    """Return the report on a failure."""
    return {"ok": False, "reason": error.reason, "message": str(error)[:MESSAGE], "transient": error.transient}


def write_report(report: dict[str, Any], path: Path | None) -> None:
    """Write the report where the kubelet picks it up; without a path only if the kubelet made such a file."""
    target = path or KUBELET_FILE
    if path or target.exists():
        target.write_bytes(fitting(report))


def fitting(report: dict[str, Any]) -> bytes:
    """Return the report as JSON of at most 4,096 bytes, without its geometry if it must be."""
    content = json.dumps(report, separators=(",", ":")).encode()
    if len(content) > LIMIT:
        rest = {name: value for name, value in report.items() if name != "geometry"}
        content = json.dumps(rest | {"geometryProblem": TOO_LONG}, separators=(",", ":")).encode()
    return content[:LIMIT]
