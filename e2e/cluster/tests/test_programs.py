"""Building the programs: what a build depends on, and that an interrupted one leaves nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import programs
from e2e.cluster.errors import ClusterError


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program sources, to be changed freely."""
    folder = tmp_path / "programs"
    shutil.copytree(programs.PROGRAM_SOURCES, folder)
    monkeypatch.setattr(programs, "PROGRAM_SOURCES", folder)
    return folder


def test_every_program_has_its_own_module() -> None:
    assert sorted(path.name for path in programs.PROGRAM_SOURCES.iterdir()) == sorted(
        each.name for each in programs.ALL
    )


def test_the_stamps_carry_the_versions_that_go_mod_requires() -> None:
    go_mod = (programs.KUBERNETES.sources / "go.mod").read_text()
    version = programs.module_version(go_mod, "k8s.io/kubernetes")
    linker = programs.flags(programs.KUBERNETES)[-1]
    assert f"gitVersion={version}" in linker
    assert f"gitMinor={version.split('.')[1]}" in linker
    assert f"helm/v4/internal/version.version={programs.module_version(go_mod, 'helm.sh/helm/v4')}" in linker


def test_a_changed_package_below_the_module_is_another_build(sources: Path) -> None:
    before = programs.key(programs.KUBERNETES)
    with (sources / "kubernetes" / "coredns" / "main.go").open("a") as file:
        file.write("\n// more\n")
    assert programs.key(programs.KUBERNETES) != before


def test_a_module_that_go_mod_lacks_is_an_error() -> None:
    with pytest.raises(ClusterError, match=r"does not require example\.com/x"):
        programs.module_version("require example.com/xy v1.0.0\n", "example.com/x")


@pytest.mark.parametrize("name", ["go.mod", "main.go"])
def test_changed_sources_are_another_build(sources: Path, name: str) -> None:
    before = programs.key(programs.PAUSE)
    with (sources / "pause" / name).open("a") as file:
        file.write("\n// more\n")
    assert programs.key(programs.PAUSE) != before


def test_changed_flags_are_another_build() -> None:
    assert programs.key(replace(programs.KUBERNETES, stamps={})) != programs.key(programs.KUBERNETES)
    assert programs.key(replace(programs.KUBERNETES, packages=("tool",))) != programs.key(programs.KUBERNETES)


def test_a_note_beside_the_sources_changes_nothing(sources: Path) -> None:
    before = programs.key(programs.PAUSE)
    (sources / "pause" / "notes.txt").write_text("x")
    assert programs.key(programs.PAUSE) == before


@pytest.mark.parametrize(
    ("text", "version"), [("go1.26.8\n", (1, 26)), ("go1.25rc1", (1, 25)), ("devel", (0, 0)), ("", (0, 0))]
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, int]) -> None:
    assert programs.go_version(text) == version


def test_missing_go_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match=r"install Go 1\.25 or newer"):
        programs.need_go()


def test_an_old_go_is_said_clearly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(ClusterError, match=r"too old \(go1\.19\.8\)"):
        programs.need_go()


FAKE_GO = """#!/bin/sh
[ "$1" = env ] && echo go1.25.1 && exit
[ -n "$FAIL" ] && echo broken && exit 1
echo build >> {builds}
module=$(basename "$PWD")
[ "$module" = kubernetes ] && module=server
for argument; do
  case "$argument" in */) touch "$argument/$module" ;; esac
done
"""


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A go that builds at once and counts how often."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO.format(builds=tmp_path / "builds"))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    return tmp_path / "builds"


@pytest.mark.usefixtures("cache")
def test_a_second_run_builds_nothing(fake_go: Path) -> None:
    for _ in range(2):
        programs.ensure(programs.PAUSE)
    assert fake_go.read_text().count("build") == 1
    assert programs.binary("pause").is_file()


@pytest.mark.usefixtures("fake_go")
def test_the_remains_of_an_interrupted_build_are_replaced(cache: Path) -> None:
    part = cache / "programs" / f".pause-{programs.key(programs.PAUSE)}.part" / "bin"
    part.mkdir(parents=True)
    (part / "half").touch()
    programs.ensure(programs.PAUSE)
    assert not (programs.folder(programs.PAUSE) / "half").exists()
    assert not part.exists()


@pytest.mark.usefixtures("cache", "fake_go")
def test_a_failed_build_shows_why_and_leaves_nothing_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(ClusterError, match="broken"):
        programs.ensure(programs.PAUSE)
    assert not programs.folder(programs.PAUSE).exists()


@pytest.mark.usefixtures("cache")
def test_a_program_that_is_not_built_names_the_command() -> None:
    with pytest.raises(ClusterError, match=r"e2e\.cluster programs"):
        programs.binary("kubectl")
    with pytest.raises(ClusterError, match=r"e2e\.cluster programs"):
        programs.bin_folder()
    assert programs.bin_if_built() == ""


@pytest.mark.usefixtures("fake_go")
def test_one_folder_links_to_all_programs(cache: Path) -> None:
    programs.ensure()
    folder = programs.bin_folder()
    assert folder == programs.bin_folder() == Path(programs.bin_if_built())
    assert (folder / "etcd").resolve() == programs.folder(programs.KUBERNETES) / "etcd"
    programs.clean()
    assert not (cache / "programs").exists()


def test_go_may_fetch_the_toolchain_that_a_module_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    assert programs.go_environment()["GOTOOLCHAIN"] == "auto"
    monkeypatch.setenv("GOTOOLCHAIN", "go1.26.1")
    assert programs.go_environment()["GOTOOLCHAIN"] == "go1.26.1"
