"""What the Job leaves behind: one JSON object in the container's termination message, of at most 4,096 bytes."""

import json
from pathlib import Path
from typing import Any

from coderag_model.errors import FetchError
from coderag_model.fetch import ModelFile

LIMIT = 4096
MESSAGE = 600
KUBELET_FILE = Path("/dev/termination-log")


def describe_success(found: ModelFile) -> dict[str, Any]:
    """Return the report on a file that can be served."""
    return {
        "ok": True,
        "file": str(found.path),
        "sizeBytes": found.size,
        "sha256": found.sha256,
        "header": found.header.to_json(),
    }


def describe_failure(error: FetchError) -> dict[str, Any]:
    """Return the report on a failure."""
    return {"ok": False, "reason": error.reason, "message": str(error)[:MESSAGE], "transient": error.transient}


def write_report(report: dict[str, Any], path: Path | None) -> None:
    """Write the report where the kubelet picks it up; without a path only if the kubelet made such a file."""
    target = path or KUBELET_FILE
    if path or target.exists():
        target.write_bytes(json.dumps(report).encode()[:LIMIT])
