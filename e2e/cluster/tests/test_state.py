"""What is remembered about a cluster."""

import stat
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.identity import Identity
from e2e.cluster.paths import cache as cache_folder
from e2e.cluster.state import State, read_json, write_atomically


@pytest.mark.parametrize("name", ["", "Demo", "1st", "a_b", "../x", "a" * 25, "demo-", "a b"])
def test_a_name_that_would_not_fit_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="lower-case letters"):
        State(name)


def test_a_cache_too_deep_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODERAG_CACHE", "/tmp/" + "x" * 90)
    with pytest.raises(ClusterError, match="CODERAG_CACHE"):
        State("demo")


def test_the_cache_is_where_the_desktop_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CODERAG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "coderag"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "coderag"


@pytest.mark.usefixtures("cache")
def test_without_settings_a_start_counts_as_interrupted() -> None:
    state = State("demo")
    assert not state.exists()
    state.create()
    assert state.exists()
    assert state.settings() is None
    state.save({"provider": "node"})
    assert state.settings() == {"provider": "node"}
    state.remove()
    state.remove()
    assert not state.exists()


@pytest.mark.usefixtures("cache")
def test_processes_are_remembered_until_forgotten() -> None:
    state, identity = State("demo"), Identity(2**22 + 1, 5, "boot")
    state.remember("etcd", identity)
    assert state.processes() == {"etcd": identity}
    assert not state.running("etcd")
    assert not state.running("kubelet")
    state.forget("etcd")
    assert state.processes() == {}


def test_a_file_with_keys_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "admin.kubeconfig"
    write_atomically(path, "first")
    write_atomically(path, "second")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "nothing.json") is None
