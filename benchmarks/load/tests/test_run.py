"""The whole way with real services, in small: what `make bench-load` does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.services
@pytest.mark.timeout(1500)
def test_a_small_load_is_measured_beside_its_baseline(tmp_path: Path) -> None:
    sizes = ["--chunks", "300", "--small", "100", "--queries", "200", "--rps", "4", "--seconds", "5"]
    names = [word for name in ("search", "baseline", "costs") for word in ("--scenario", name)]
    command = [sys.executable, "benchmarks/load.py", *sizes, *names, "--folder", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1), ended.stderr  # 1: a shared machine may miss the times
    rows = [line.split(" | ") for line in ended.stdout.splitlines() if line.startswith(("| search |", "| baseline |"))]
    assert len(rows) == 4  # two scenarios in two tables
    assert [row[2] for row in rows[:2]] == ["20", "20"]
    assert "The naive search takes" in ended.stdout
    assert "| 1,000,000 | extrapolated |" in ended.stdout


@pytest.mark.services
@pytest.mark.timeout(1500)
def test_a_sync_of_nothing_and_a_push_are_timed(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/freshness.py", "--pushes", "1", "--files", "2", "--syncs", "2"]
    ended = subprocess.run(
        [*command, "--folder", str(tmp_path / "run")], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode in (0, 1), ended.stderr  # 1: a shared machine may miss the times
    sync, push = (line.split(" | ") for line in ended.stdout.splitlines()[2:])
    assert sync[3] == "0 in all"
    assert int(push[3]) > 1
