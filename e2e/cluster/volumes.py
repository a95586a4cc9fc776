"""Dynamic volumes for the node provider: the StorageClass `standard`, served by folders of the node.

A process of its own, because it has to live as long as the cluster: it watches claims and volumes, makes a hostPath
volume for each claim that the scheduler has placed, and removes folder and volume when the claim is gone. hostPath
volumes do not get a pod's fsGroup, so a folder belongs to the user that all of this project's pods run as.
"""

import argparse
import json
import os
import shutil
import signal
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e.cluster.errors import ClusterError

CLASS = "standard"
PROVISIONER = "coderag.dev/hostpath"
OWNER = 10001
MODE = 0o770
PLACED = "volume.kubernetes.io/selected-node"
MADE_BY = "pv.kubernetes.io/provisioned-by"
RESYNC_SECONDS = 60.0
WATCH_SECONDS = 300

Object = dict[str, Any]


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


class Api:
    """The few calls to the API server that this process makes, with its own certificate."""

    def __init__(self, server: str, pki: Path) -> None:
        self.server = server
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "volumes.crt", pki / "volumes.key")
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, path: str, body: Object | None = None) -> Object:
        """One request; `404` and `409` mean that somebody was first, and are no errors here."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.server + path, data=data, method=method, headers=headers)
        try:
            with self.opener.open(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (404, 409):
                return {}
            raise

    def list(self, resource: str) -> list[Object]:
        """Every object of one resource."""
        return self.call("GET", f"/api/v1/{resource}")["items"]

    def events(self, resource: str) -> Iterator[None]:
        """Something once for every change of a resource."""
        url = f"{self.server}/api/v1/{resource}?watch=true&timeoutSeconds={WATCH_SECONDS}"
        with self.opener.open(url, timeout=WATCH_SECONDS + 30) as answer:
            for _ in answer:
                yield None


class Provisioner:
    """Level-triggered: every change leads to one pass over all claims and volumes."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.changed = threading.Event()

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

    def watch(self, resource: str) -> None:
        """Note every change of a resource, for ever; a broken watch is opened again."""
        while True:
            try:
                for _ in self.api.events(resource):
                    self.changed.set()
            except OSError as error:
                log(f"watching {resource}: {error}")
                threading.Event().wait(1)

    def run(self) -> None:
        """Watch and reconcile until the process is ended."""
        for resource in ("persistentvolumeclaims", "persistentvolumes"):
            threading.Thread(target=self.watch, args=(resource,), daemon=True).start()
        while True:
            self.changed.wait(RESYNC_SECONDS)
            self.changed.clear()
            try:
                self.reconcile()
            except OSError as error:
                log(f"will try again: {error}")
                threading.Event().wait(1)
                self.changed.set()


def log(text: str) -> None:
    """One line in the process' log."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """python3 -m e2e.cluster.volumes --server URL --pki FOLDER --folder FOLDER"""
    parser = argparse.ArgumentParser(description="Provide hostPath volumes for the claims of one cluster.")
    parser.add_argument("--server", required=True, help="the API server's URL")
    parser.add_argument("--pki", required=True, type=Path, help="the folder with ca.crt, volumes.crt and volumes.key")
    parser.add_argument("--folder", required=True, type=Path, help="where the volumes' folders are made")
    options = parser.parse_args()
    if not options.pki.is_dir():
        raise ClusterError(f"no such folder: {options.pki}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Provisioner(Api(options.server, options.pki), options.folder).run()


if __name__ == "__main__":
    main()
