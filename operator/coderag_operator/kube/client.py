"""What the operator asks of the Kubernetes API, as a protocol, so that tests can stand an in-memory API behind it."""

from collections.abc import Iterator
from typing import Any, Protocol

from coderag_operator.kube.kinds import Kind

Manifest = dict[str, Any]


class Kube(Protocol):
    """The calls of one pass. Every call returns soon or raises a Failure (coderag_operator.errors)."""

    def apply(self, manifest: Manifest) -> Manifest:
        """Apply an object server-side as its owner, and return it as it now is."""
        ...

    def apply_status(self, manifest: Manifest) -> Manifest:
        """Apply the status of an object under the status manager, and return the object."""
        ...

    def create(self, manifest: Manifest) -> Manifest | None:
        """Create an object, and return it; None when one of that name exists."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None when there is none."""
        ...

    def read_log(self, namespace: str, pod: str, container: str, limit: int) -> str:
        """Return the first `limit` bytes of a container's log."""
        ...

    def delete(self, kind: Kind, namespace: str, name: str, uid: str, grace: int | None = None) -> bool:
        """Delete the object of this uid; False when it is gone or another one has taken its name.

        `grace` in seconds replaces a pod's own.
        """
        ...

    def replace(self, manifest: Manifest) -> Manifest:
        """Replace an object at the resourceVersion that the manifest carries (the Lease, nothing else)."""
        ...

    def merge(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge a patch into an object: its lists are replaced as a whole."""
        ...

    def list(self, kind: Kind, namespace: str | None, selector: str) -> tuple[list[Manifest], str]:
        """Return the metadata of all objects of a kind that a label selector finds, and the list's version."""
        ...

    def scan(self, kind: Kind) -> Iterator[Manifest]:
        """Yield all objects of a kind in the whole cluster, page by page: nodes are large, and nobody keeps them."""
        ...
