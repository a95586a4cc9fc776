"""A process is named by pid, start time and boot, so that a reused pid is never stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.cluster import identity


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "CODERAG_TEST_TAG": "x y"}) as process:
        yield process
        process.kill()


@given(st.text(max_size=15).filter(lambda name: "\n" not in name))
def test_any_program_name_leaves_state_and_start_readable(name: str) -> None:
    rest = " ".join(str(number) for number in range(1, 19))
    assert identity.parse_stat(f"7 ({name}) S {rest} 4711 0 0") == ("S", 4711)


def test_a_running_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    found = identity.identify(sleeper.pid)
    assert found is not None
    assert identity.alive(found)


def test_a_reused_pid_is_another_process_and_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    found = identity.identify(sleeper.pid)
    assert found is not None
    for other in (replace(found, start=found.start - 1), replace(found, boot="another boot")):
        assert not identity.alive(other)
        identity.send(other, signal.SIGKILL)
    assert sleeper.poll() is None


def test_stopping_ends_the_process_and_waits_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    found = identity.identify(sleeper.pid)
    assert found is not None
    identity.stop([found])
    assert identity.identify(sleeper.pid) is None


def test_a_process_that_ignores_the_polite_signal_is_ended_by_force() -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = identity.identify(process.pid)
        assert found is not None
        identity.stop([found], patience=0.1)
        assert not identity.alive(found)


def test_nobody_has_no_identity() -> None:
    assert identity.identify(2**22 + 1) is None


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert identity.identify(process.pid) is None
    process.wait()


def test_what_was_not_recorded_is_found_by_its_tag(sleeper: subprocess.Popen[bytes]) -> None:
    assert [each.pid for each in identity.tagged("CODERAG_TEST_TAG", "x y")] == [sleeper.pid]
    assert identity.tagged("CODERAG_TEST_TAG", "x") == []
