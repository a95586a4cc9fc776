"""What every builder needs: the stack, what was read from the cluster, and the metadata that every child carries."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from coderag_operator.api import API_VERSION, KIND, Stack
from coderag_operator.desired import names
from coderag_operator.desired.inputs import Inputs
from coderag_operator.desired.stopping import stopped

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """One call of `build`."""

    stack: Stack
    inputs: Inputs

    def name(self, suffix: str) -> str:
        """Return the name of a child."""
        return names.object_name(self.stack, suffix)

    def url(self, component: str, service: str = "") -> str:
        """Return the address of a component inside the cluster."""
        return names.service_url(self.stack, component, service)

    def manifest(self, api_version: str, kind: str, component: str, suffix: str = "", **body: Any) -> Manifest:
        """Return a child with its name, labels and owner; `suffix` where the name is not the component's."""
        metadata = {
            "name": self.name(suffix or component),
            "namespace": self.stack.namespace,
            "labels": names.labels(self.stack, component),
            "ownerReferences": [self.owner()],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}

    def owner(self) -> dict[str, Any]:
        """Return the owner reference of every child; it does not block the deletion of the stack."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.stack.name,
            "uid": self.stack.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }

    def replicas(self, component: str, wanted: int = 1) -> int:
        """Return the number of pods: none while the component is stopped."""
        return 0 if self.is_stopped(component) else wanted

    def is_stopped(self, component: str) -> bool:
        """Tell whether a component is to have no pods at the moment."""
        return component in stopped(self.stack, self.inputs.alive)


def checksum(value: Any) -> str:
    """Return a short digest of plain data; equal data give equal digests."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
