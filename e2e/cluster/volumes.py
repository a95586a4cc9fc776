"""Dynamic volumes for the node provider: the StorageClass `standard`, served by folders of the node.

A process of its own, because it has to live as long as the cluster: it watches claims and volumes, makes a hostPath
volume for each claim that the scheduler has placed, and removes folder and volume when the claim is gone. hostPath
volumes do not get a pod's fsGroup, so a folder belongs to the user that all of this project's pods run as.
"""

import os
import shutil
from pathlib import Path

from e2e.cluster.api_client import Api, Loop, Object, helper_arguments, log

USER = "volumes"
RESOURCES = ("persistentvolumeclaims", "persistentvolumes")
CLASS = "standard"
PROVISIONER = "coderag.dev/hostpath"
OWNER = 10001
MODE = 0o770
PLACED = "volume.kubernetes.io/selected-node"
MADE_BY = "pv.kubernetes.io/provisioned-by"


def wanted(claim: Object) -> bool:
    """Does this claim wait for a volume of ours? It does once the scheduler has placed a pod that uses it."""
    spec, meta = claim["spec"], claim["metadata"]
    placed = PLACED in meta.get("annotations", {})
    return (
        spec.get("storageClassName") == CLASS
        and not spec.get("volumeName")
        and placed
        and "deletionTimestamp" not in meta
    )


def volume_for(claim: Object, folder: Path) -> Object:
    """The PersistentVolume for a claim, bound to it from the start; its name is the claim's uid, so it is made once."""
    meta, spec = claim["metadata"], claim["spec"]
    node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [meta["annotations"][PLACED]]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {MADE_BY: PROVISIONER}},
        "spec": {
            "storageClassName": CLASS,
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "hostPath": {"path": str(folder), "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
        },
    }


def finished(volume: Object) -> bool:
    """Is this a volume of ours whose claim is gone and that shall be deleted?"""
    ours = volume["metadata"].get("annotations", {}).get(MADE_BY) == PROVISIONER
    deletes = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    return ours and deletes and volume.get("status", {}).get("phase") == "Released"


class Provisioner:
    """Level-triggered: every change leads to one pass over all claims and volumes."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.folder = folder

    def reconcile(self) -> None:
        """Make what is missing, remove what is finished."""
        for claim in filter(wanted, self.api.list("persistentvolumeclaims")):
            self.provide(claim)
        for volume in filter(finished, self.api.list("persistentvolumes")):
            self.retire(volume)

    def provide(self, claim: Object) -> None:
        """Make the folder, then the volume."""
        folder = self.folder / f"pvc-{claim['metadata']['uid']}"
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, OWNER, OWNER)
        folder.chmod(MODE)
        self.api.call("POST", "/api/v1/persistentvolumes", volume_for(claim, folder))
        log(f"provided {folder.name} for {claim['metadata']['namespace']}/{claim['metadata']['name']}")

    def retire(self, volume: Object) -> None:
        """Remove the data, then the volume."""
        path = Path(volume["spec"]["hostPath"]["path"])
        if path.parent == self.folder and path.is_dir():
            shutil.rmtree(path)
        self.api.call("DELETE", f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
        log(f"removed {volume['metadata']['name']}")


def main() -> None:
    """python3 -m e2e.cluster.volumes --server URL --pki FOLDER --folder FOLDER"""
    options = helper_arguments("Provide hostPath volumes for the claims of one cluster.", USER, "folder")
    api = Api(options.server, options.pki, USER)
    Loop(api, RESOURCES, Provisioner(api, options.folder).reconcile).run()


if __name__ == "__main__":
    main()
