"""The real helm, and a real API server that judges what it renders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster import programs
from e2e.cluster.control_plane import ControlPlane
from e2e.kubectl import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """An API server with controllers, for this session alone."""
    programs.ensure(programs.KUBERNETES)
    with ControlPlane(controllers=True) as plane:
        kubeconfig = Path(plane.status().kubeconfig)
        yield Cluster(kubeconfig, programs.binary("kubectl"), programs.binary("helm"))
