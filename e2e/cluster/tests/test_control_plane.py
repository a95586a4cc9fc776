"""A real control plane: etcd and kube-apiserver from the built programs."""

import json
import subprocess
from pathlib import Path

import pytest

from e2e.cluster import programs
from e2e.cluster.control_plane import ControlPlane, free_ports, https_get
from e2e.cluster.identity import tagged
from e2e.cluster.processes import TAG


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.integration
def test_an_api_answers_counts_what_is_done_and_leaves_nothing() -> None:
    with ControlPlane() as plane, ControlPlane() as other:
        status, second = plane.status(), other.status()
        assert status.ready
        assert second.ready
        assert status.address != second.address
        assert https_get(plane.state)(f"{status.address}/readyz") == 200
        assert https_get(other.state)(f"{status.address}/readyz") == 0  # another cluster's keys open nothing
        assert plane.up() == status
        kubectl = [programs.binary("kubectl"), "--kubeconfig", status.kubeconfig]
        subprocess.run([*kubectl, "create", "namespace", "seen"], check=True, capture_output=True)
        events = [json.loads(line) for line in Path(status.audit_log).read_text().splitlines()]
        assert [event["user"]["username"] for event in events if event.get("objectRef", {}).get("name") == "seen"] == [
            "coderag-admin"
        ]
    assert not plane.state.exists()
    assert tagged(TAG, str(plane.state.folder)) == []


@pytest.mark.integration
def test_a_control_plane_that_lost_a_process_is_made_anew() -> None:
    with ControlPlane() as plane:
        plane.processes.stop("etcd")
        assert not plane.status().ready
        assert plane.up().ready
