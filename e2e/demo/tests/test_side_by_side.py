"""Commands that run at once end together, well or badly."""

import subprocess
import sys

import pytest

from e2e.demo.side_by_side import run_side_by_side

WAITS = [sys.executable, "-c", "import threading; threading.Event().wait(300)"]


def writing(path):
    return [sys.executable, "-c", f"open({str(path)!r}, 'w').close()"]


def failing(code):
    return [sys.executable, "-c", f"raise SystemExit({code})"]


def test_all_of_them_are_run(tmp_path):
    run_side_by_side(writing(tmp_path / "one"), writing(tmp_path / "two"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.timeout(120)  # the other would wait for five minutes
def test_the_first_that_fails_is_named_and_ends_the_others():
    with pytest.raises(subprocess.CalledProcessError) as told:
        run_side_by_side(WAITS, failing(3))
    assert told.value.returncode == 3
    assert told.value.cmd == failing(3)
