"""What a person types: wrong input gets a message that names the remedy."""

import json
from pathlib import Path

import pytest

from e2e.cluster import cgroups, images, kind, opening, packages, provider
from e2e.cluster.cli import main
from e2e.cluster.errors import ClusterError
from e2e.cluster.node import NodeProvider
from e2e.cluster.options import Options, gpu_count, parse_labels
from e2e.cluster.state import State


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 1
    return capsys.readouterr().err


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("up", "--name", "Bad_Name"), "lower-case letters"),
        (("up", "--gpu", "many"), "--gpu 'many' is not a number"),
        (("up", "--label", "x"), "KEY=VALUE"),
        (("kubeconfig", "--provider", "node"), "is not up"),
        (("load-image", "--provider", "node"), "no image is named"),
        (("build-images", "nonsense"), "no such image: nonsense"),
        (("control-plane", "up", "--name", "x" * 30), "at most 24"),
    ],
)
def test_wrong_input_is_answered_with_the_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in failing(capsys, *arguments)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in ("up", "down", "status", "kubeconfig", "load-image", "build-images", "programs", "control-plane"):
        assert command in text


@pytest.mark.usefixtures("cache")
def test_a_cluster_that_is_not_there_has_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--provider", "node", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"name", "provider", "kubeconfig", "auditLog", "address", "programs", "ready"} <= set(found)
    assert (found["ready"], found["problem"]) == (False, "not up")


@pytest.mark.usefixtures("cache")
def test_a_name_belongs_to_the_provider_that_made_it(capsys: pytest.CaptureFixture[str]) -> None:
    state = State("demo")
    state.create()
    state.save({"provider": "control-plane", "server": "", "controllers": False})
    assert "provider control-plane" in failing(capsys, "down", "--provider", "node")
    assert "without --controllers" in failing(capsys, "control-plane", "up", "--name", "demo", "--controllers")
    assert state.exists()


@pytest.mark.usefixtures("cache")
def test_programs_of_a_cluster_that_is_there_are_not_removed(capsys: pytest.CaptureFixture[str]) -> None:
    State("demo").create()
    assert "still there: demo" in failing(capsys, "clean-cache")


@pytest.mark.usefixtures("cache")
def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(self: NodeProvider) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(NodeProvider, "down", interrupt)
    assert main(["down", "--provider", "node"]) == 130
    assert "continues or repairs" in capsys.readouterr().err


@pytest.mark.usefixtures("cache")
def test_only_the_parts_of_a_running_node_can_be_stopped() -> None:
    with pytest.raises(ClusterError, match="there are: etcd"):
        NodeProvider("demo").stop_process("nginx")
    with pytest.raises(ClusterError, match="is not up"):
        NodeProvider("demo").stop_process("kubelet")
    with pytest.raises(ClusterError, match="is not up"):
        NodeProvider("demo").load_images(["localhost/x"])


@pytest.mark.usefixtures("cache")
def test_an_interrupted_start_is_told_apart_from_none() -> None:
    node = NodeProvider("demo")
    node.state.create()
    assert "interrupted" in node.status().problem


def test_labels_and_gpus_are_read() -> None:
    assert parse_labels(["a=b=c"]) == {"a": "b=c"}
    assert gpu_count("2") == 2


@pytest.mark.parametrize(
    ("installed", "answers", "chosen"), [(True, "docker", "kind"), (True, None, "node"), (False, "docker", "node")]
)
def test_kind_is_chosen_only_where_an_engine_answers(
    monkeypatch: pytest.MonkeyPatch, installed: bool, answers: str | None, chosen: str
) -> None:
    monkeypatch.setattr(provider.shutil, "which", lambda name: name if installed else None)
    monkeypatch.setattr(provider, "engine", lambda: answers)
    assert provider.choose() == chosen


def test_a_client_without_an_engine_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert provider.engine() is None
    docker.write_text("#!/bin/sh\nexit 0\n")
    assert provider.engine() == "docker"


@pytest.mark.usefixtures("cache")
def test_an_existing_cluster_keeps_its_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "choose", lambda: "node")
    assert isinstance(opening.open_provider("demo"), NodeProvider)
    state = State("demo")
    state.create()
    state.save({"provider": "kind"})
    assert isinstance(opening.open_provider("demo", "auto", Options()), kind.KindProvider)


@pytest.mark.usefixtures("cache")
def test_kind_writes_its_audit_log_where_the_node_does() -> None:
    config = kind.cluster_config(State("demo"))
    mounts = config["nodes"][0]["extraMounts"]
    assert {Path(mount["hostPath"]).name for mount in mounts} == {"audit-policy.json", "logs"}
    patch = json.loads(config["nodes"][0]["kubeadmConfigPatches"][0])
    assert patch["apiServer"]["extraArgs"]["audit-log-path"].endswith("/logs/audit.log")


def test_only_missing_packages_are_installed() -> None:
    assert packages.missing({"sh": "dash", "/etc/hostname-that-is-not": "nothing", "no-such-program": "b"}) == [
        "b",
        "nothing",
    ]


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ClusterError, match="install by hand: buildah debootstrap"):
        packages.need(packages.FOR_IMAGES)


def test_a_node_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="run it as root"):
        packages.need_root("a node")


def test_control_groups_of_both_versions_are_found() -> None:
    rows = ["cgroup2 /c/unified cgroup2 rw 0 0", "cgroup /c/cpu cgroup rw 0 0", "proc /proc proc rw 0 0", ""]
    assert [path.name for path in cgroups.mounted("\n".join(rows))] == ["unified", "cpu"]


class FakeBuilder(images.Builder):
    """Notes what is built."""

    def __init__(self, label: str = "") -> None:
        self.built: list[str] = []
        self.known = label

    def command(self, image: images.Image, label: str, scratch: Path) -> list[str]:
        self.known = label
        return ["sh", "-c", "echo out; test ! -e fail"]

    def label(self, image: images.Image) -> str:
        return self.known

    def run(self, image: images.Image, command: list[str]) -> None:
        self.built.append(image.name)
        super().run(image, command)


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> images.Image:
    (tmp_path / "repository").mkdir()
    monkeypatch.setattr(images, "REPOSITORY", tmp_path / "repository")
    (tmp_path / "repository" / "Containerfile").write_text("FROM scratch\n")
    return images.Image("x", tmp_path / "repository" / "Containerfile")


@pytest.mark.usefixtures("cache")
def test_an_unchanged_image_is_not_built_again(image: images.Image) -> None:
    builder = FakeBuilder()
    builder.build(image)
    builder.build(image)
    assert builder.built == ["x"]
    assert image.reference == "localhost/coderag-x:dev"


@pytest.mark.usefixtures("cache")
def test_a_failed_build_shows_the_end_of_its_log(image: images.Image) -> None:
    (image.containerfile.parent / "fail").touch()
    with pytest.raises(ClusterError, match="out"):
        FakeBuilder().build(image)


def test_each_provider_builds_where_it_loads_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "engine", lambda: "docker")
    assert isinstance(images.make_builder("node"), images.Buildah)
    assert images.make_builder("kind").program == "docker"
    monkeypatch.setattr(images, "engine", lambda: None)
    with pytest.raises(ClusterError, match="start Docker"):
        images.make_builder("kind")


def test_secrets_of_the_machine_are_not_build_arguments(image: images.Image, tmp_path: Path) -> None:
    command = images.Buildah().command(image, "label", tmp_path)
    assert [part for part in command if part.startswith("--build-arg")] == [
        "--build-arg=BASE_IMAGE=localhost/coderag-base:bookworm"
    ]


@pytest.mark.usefixtures("cache")
def test_kind_loads_all_images_in_one_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(kind.KindProvider, "_kind", lambda _, *arguments: calls.append(arguments))
    archive = tmp_path / "image.tar"
    archive.touch()
    kind.KindProvider("demo").load_images(["localhost/b:dev", str(archive), "localhost/a:dev"])
    assert calls == [
        ("load", "image-archive", str(archive)),
        ("load", "docker-image", "localhost/a:dev", "localhost/b:dev"),
    ]
