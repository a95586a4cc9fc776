"""Read the API server's audit log: who wrote what, since when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class Request:
    """One request as the API server saw it."""

    user: str
    verb: str
    group: str
    resource: str
    name: str
    namespace: str
    code: int

    @property
    def is_write(self) -> bool:
        """Tell whether the request changed something."""
        return self.verb in WRITES

    @property
    def is_own_lease(self) -> bool:
        """Tell whether it touched a Lease."""
        return self.resource == "leases"


def read_requests(log: Path, user: str, offset: int = 0) -> Iterator[Request]:
    """Yield the finished requests of a user after a byte offset of the log."""
    with log.open("rb") as file:
        file.seek(offset)
        for line in file:
            entry = json.loads(line)
            if entry.get("user", {}).get("username") == user and entry.get("stage") == "ResponseComplete":
                yield parse(entry)


def parse(entry: dict) -> Request:
    """Return the parts of an audit event that the tests judge."""
    target = entry.get("objectRef", {})
    resource = target.get("resource", "")
    if target.get("subresource"):
        resource += "/" + target["subresource"]
    return Request(
        entry["user"]["username"], entry["verb"], target.get("apiGroup", ""), resource,
        target.get("name", ""), target.get("namespace", ""), entry.get("responseStatus", {}).get("code", 0),
    )  # fmt: skip
