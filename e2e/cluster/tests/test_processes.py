"""Starting and stopping the named processes of a cluster."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.identity import alive, tagged
from e2e.cluster.locks import locked
from e2e.cluster.processes import TAG, Command, Processes
from e2e.cluster.progress import elapsed
from e2e.cluster.state import State
from e2e.cluster.waiting import wait_until


@pytest.fixture
def processes(cache: object) -> Iterator[Processes]:
    found = Processes(State("demo"))
    found.state.create()
    yield found
    found.stop_all()


SLEEP = Command("sleeper", ["sleep", "60"])


def test_a_running_process_is_not_started_twice(processes: Processes) -> None:
    processes.start(SLEEP)
    first = processes.state.processes()
    processes.start(SLEEP)
    assert processes.state.processes() == first
    assert processes.state.running("sleeper")


def test_stopping_ends_and_forgets(processes: Processes) -> None:
    processes.start(SLEEP)
    identity = processes.state.processes()["sleeper"]
    processes.stop("sleeper")
    processes.stop("sleeper")
    assert not alive(identity)
    assert processes.state.processes() == {}


def test_an_unrecorded_process_is_stopped_by_its_tag(processes: Processes) -> None:
    processes.start(SLEEP)
    processes.state.forget("sleeper")
    mine = partial(tagged, TAG, str(processes.state.folder))
    assert wait_until(lambda: bool(mine()), 10), "the kernel shows an environment a moment after the program began"
    processes.stop_all()
    assert mine() == []


def test_a_process_that_died_is_reported_with_the_end_of_its_log(processes: Processes) -> None:
    processes.start(Command("broken", ["sh", "-c", "echo the reason >&2"]))
    with pytest.raises(ClusterError, match="the reason"):
        processes.await_ready("broken", lambda: False, 10)


def test_waiting_has_a_limit(processes: Processes) -> None:
    processes.start(SLEEP)
    with pytest.raises(ClusterError, match="was not ready"):
        processes.await_ready("sleeper", lambda: False, 0.01)


def test_a_condition_that_holds_ends_the_wait() -> None:
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0)


def test_a_failed_command_shows_what_it_said() -> None:
    with pytest.raises(ClusterError, match="no luck"):
        run(["sh", "-c", "echo no luck; exit 3"], what="trying")
    assert run(["sh", "-c", "exit 3"], what="trying", check=False).returncode == 3


def test_a_command_that_hangs_or_is_missing_is_an_error() -> None:
    with pytest.raises(ClusterError, match="did not finish"):
        run(["sleep", "60"], what="trying", timeout=0.05)
    with pytest.raises(ClusterError, match="not installed"):
        run(["no-such-program-anywhere"], what="trying")


def test_a_lock_is_free_again_when_its_holder_was_killed(processes: Processes) -> None:
    path = processes.state.lock
    script = f"import fcntl,time; f=open({str(path)!r},'a'); fcntl.flock(f,2); print(1,flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        holder.wait()
    with locked(path, "a test"):
        path.unlink()
    with locked(path, "a test"):
        assert path.exists()


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s")])
def test_durations_read_as_a_person_writes_them(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text
