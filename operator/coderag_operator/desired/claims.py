"""Volume claims: objects of their own, not templates of a StatefulSet, so that an owner reference is the policy."""

from typing import Any

from coderag_operator.desired.context import Context, Manifest


def claim(context: Context, component: str, *, size: str, storage_class: str | None, keep: bool = False) -> Manifest:
    """Return the claim of a component; one that is to be kept has no owner, so nothing deletes it with the stack."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if name := storage_class or context.stack.spec.storage_class_name:
        spec["storageClassName"] = name
    manifest = context.manifest("v1", "PersistentVolumeClaim", component, spec=spec)
    if keep:
        del manifest["metadata"]["ownerReferences"]
    return manifest


def claim_volume(name: str, claim_name: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a pod's volume on a claim."""
    source: dict[str, Any] = {"claimName": claim_name}
    return {"name": name, "persistentVolumeClaim": source | ({"readOnly": True} if read_only else {})}
