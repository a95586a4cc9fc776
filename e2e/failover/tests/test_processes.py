"""A signal goes to the processes of one pod, and to none when they are elsewhere."""

import signal
import subprocess

import pytest

from e2e.failover import processes
from e2e.kubectl import CommandError

UID = "0b9e7a52-7f3c-4a51-9a3b-2d3f3c6f7c11"


def make_process(proc, pid, group, name):
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "comm").write_text(name + "\n")


@pytest.fixture
def proc(tmp_path):
    make_process(tmp_path, 10, f"/kubepods/burstable/pod{UID}/abc", "pause")
    make_process(tmp_path, 12, f"/kubepods/burstable/pod{UID}/def", "llama-server")
    make_process(tmp_path, 13, f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/x", "python")
    make_process(tmp_path, 14, "/kubepods/burstable/podother/def", "llama-server")
    (tmp_path / "15").mkdir()
    return tmp_path


def test_the_processes_of_a_pod_are_found_under_either_way_of_naming_groups(proc):
    assert processes.find(UID, proc) == [12, 13]


def test_a_pod_whose_processes_are_elsewhere_is_an_error_not_a_silence():
    with pytest.raises(CommandError, match=UID):
        processes.send(UID, signal.SIGSTOP)


def test_a_signal_reaches_a_process_and_one_that_has_ended_is_passed_over(monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as process:
        monkeypatch.setattr(processes, "find", lambda uid: [process.pid, 2**22 - 1])
        processes.send(UID, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
