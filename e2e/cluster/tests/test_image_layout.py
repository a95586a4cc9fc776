"""What of an image is sent to the node: its index always, a blob only where it is missing."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from e2e.cluster import image_layout, image_store


def put(layout: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    (layout / digest).write_bytes(content)
    return f"sha256:{digest}"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An image of two layers."""
    config, layers = put(tmp_path, b"config"), [put(tmp_path, b"base"), put(tmp_path, b"own")]
    manifest = {"mediaType": "x", "config": {"digest": config}, "layers": [{"digest": each} for each in layers]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def sent(layout: Path, present: set[str]) -> dict[str, bytes]:
    stream = io.BytesIO()
    image_layout.send(layout, "localhost/x:dev", present, stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def test_everything_is_sent_to_a_node_that_has_nothing(layout: Path) -> None:
    found = sent(layout, set())
    assert {b"config", b"base", b"own"} <= set(found.values())
    named = json.loads(found["index.json"])["manifests"][0]
    assert named["annotations"] == {image_layout.NAME: "localhost/x:dev"}
    assert found[image_layout.path(named["digest"])] == (layout / "manifest.json").read_bytes()


def test_what_the_node_has_is_not_sent_again(layout: Path) -> None:
    base = "sha256:" + hashlib.sha256(b"base").hexdigest()
    found = sent(layout, {base})
    assert b"base" not in found.values()
    assert b"own" in found.values()


def test_only_what_was_loaded_anew_is_outdated() -> None:
    names = ["localhost/x:dev", "sha256:old", "sha256:new"]
    assert image_store.outdated(names, {"new"}) == ["sha256:old"]


def test_a_clusters_images_are_kept_for_the_next_one(cache: Path) -> None:
    first, second = cache / "a" / "containerd", cache / "b" / "containerd"
    (first / "io.containerd.grpc.v1.cri").mkdir(parents=True)
    (first / "snapshots").mkdir()
    second.parent.mkdir()
    image_store.give(first)
    assert not first.exists()
    image_store.take(second)
    assert [path.name for path in second.iterdir()] == ["snapshots"]
    assert not image_store.kept().exists()


def test_a_second_cluster_starts_with_nothing_and_a_running_one_keeps_its_own(cache: Path) -> None:
    image_store.take(cache / "containerd")
    assert not (cache / "containerd").exists()
    own = cache / "own"
    (own / "x").mkdir(parents=True)
    image_store.kept().mkdir()
    image_store.take(own)
    assert (own / "x").exists()
    image_store.clean()
    assert not image_store.kept().exists()
