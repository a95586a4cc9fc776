"""Dynamic volumes: which claims get one, what it looks like, when it goes."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import volumes


def claim(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "metadata": {"namespace": "ns", "name": "data", "uid": "u1", "annotations": {volumes.PLACED: "demo-node"}},
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    found["spec"] |= changes.get("spec", {})
    found["metadata"] |= changes.get("metadata", {})
    return found


def volume(
    folder: Path, phase: str = "Released", policy: str = "Delete", by: str = volumes.PROVISIONER
) -> dict[str, Any]:
    return {
        "metadata": {"name": "pvc-u1", "annotations": {volumes.MADE_BY: by}},
        "spec": {"persistentVolumeReclaimPolicy": policy, "hostPath": {"path": str(folder)}},
        "status": {"phase": phase},
    }


class FakeApi:
    """Lists what it was given and notes what was asked."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects = objects
        self.calls: list[tuple[str, str, Any]] = []

    def list(self, resource: str) -> list[dict[str, Any]]:
        return self.objects.get(resource, [])

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        self.calls.append((method, path, body))
        return {}


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "OWNER", os.getuid())


def test_a_placed_claim_of_our_class_is_served() -> None:
    assert volumes.wanted(claim())


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": {"storageClassName": "other"}},
        {"spec": {"volumeName": "pv"}},
        {"metadata": {"annotations": {}}},
        {"metadata": {"deletionTimestamp": "now"}},
    ],
)
def test_any_other_claim_is_left_alone(changes: dict[str, Any]) -> None:
    assert not volumes.wanted(claim(**changes))


def test_a_volume_is_bound_to_its_claim_and_its_node(tmp_path: Path) -> None:
    made = volumes.volume_for(claim(), tmp_path)
    assert made["spec"]["claimRef"]["uid"] == "u1"
    assert made["spec"]["hostPath"] == {"path": str(tmp_path), "type": "Directory"}
    terms = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["demo-node"]


@pytest.mark.usefixtures("owner")
def test_a_claim_gets_a_folder_that_its_pods_can_write(tmp_path: Path) -> None:
    api = FakeApi(persistentvolumeclaims=[claim()])
    volumes.Provisioner(api, tmp_path / "volumes").reconcile()  # type: ignore[arg-type]
    folder = tmp_path / "volumes" / "pvc-u1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o770
    assert api.calls[0][:2] == ("POST", "/api/v1/persistentvolumes")


def test_a_released_volume_goes_with_its_data(tmp_path: Path) -> None:
    folder = tmp_path / "pvc-u1"
    folder.mkdir()
    (folder / "data").touch()
    api = FakeApi(persistentvolumes=[volume(folder)])
    volumes.Provisioner(api, tmp_path).reconcile()  # type: ignore[arg-type]
    assert not folder.exists()
    assert api.calls == [("DELETE", "/api/v1/persistentvolumes/pvc-u1", None)]


def test_a_path_outside_the_folder_is_never_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    volumes.Provisioner(FakeApi(), tmp_path / "volumes").retire(volume(outside))  # type: ignore[arg-type]
    assert outside.exists()


@pytest.mark.parametrize("changes", [{"phase": "Bound"}, {"policy": "Retain"}, {"by": "somebody.else"}])
def test_a_volume_that_is_used_kept_or_foreign_stays(tmp_path: Path, changes: dict[str, str]) -> None:
    assert not volumes.finished(volume(tmp_path, **changes))
