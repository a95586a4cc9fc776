"""The reconcile benchmark measures an operator that runs, and says so when it does not."""

import subprocess
import sys

import pytest

from benchmarks import reconcile


def test_the_operator_finds_all_that_it_imports():
    loaded = [sys.executable, "-c", "import coderag_operator.engine.process"]
    subprocess.run(loaded, env={"PYTHONPATH": reconcile.SOURCES}, check=True)


def test_an_operator_that_ended_ends_the_benchmark_with_the_last_of_its_log(tmp_path):
    operator = reconcile.Operator("nowhere", tmp_path / "log")
    operator.log.write_text("ModuleNotFoundError: no such module")
    with pytest.raises(SystemExit, match="no such module"):
        operator.pid  # noqa: B018 - reading it is the check
