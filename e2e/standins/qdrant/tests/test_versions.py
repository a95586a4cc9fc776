"""One Qdrant everywhere: the server of the chart, the client of the images, and what the stand-in calls itself."""

from importlib.metadata import version
from pathlib import Path

import yaml

from e2e.standins.qdrant.routes_service import VERSION

VALUES = Path(__file__).resolve().parents[4] / "charts" / "coderag" / "values.yaml"


def server() -> str:
    """Return the version of the image that the chart installs."""
    image: str = yaml.safe_load(VALUES.read_text(encoding="utf-8"))["componentImages"]["qdrant"]
    return image.rpartition(":v")[2]


def test_the_client_is_at_most_one_minor_version_from_the_server() -> None:
    ours, theirs = (tuple(map(int, found.split(".")[:2])) for found in (version("qdrant-client"), server()))
    assert ours[0] == theirs[0]
    assert abs(ours[1] - theirs[1]) <= 1


def test_the_stand_in_reports_the_version_of_the_server() -> None:
    assert server() == VERSION
