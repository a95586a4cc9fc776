"""The suite's stages: which run, at whose expense, and what an interrupt reaches."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from e2e import suite
from e2e.suite import NICE, Report, Stage

PYTHON = (sys.executable, "-c")
PASSES, FAILS = (*PYTHON, "print('2 passed, 1 skipped in 0.1s')"), (*PYTHON, "raise SystemExit(1)")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the output of stages."""
    monkeypatch.setattr(suite, "OUTPUT", tmp_path)
    return tmp_path


def test_a_stage_runs_after_what_it_needs_and_counts_its_tests() -> None:
    report = suite.run_lanes(((Stage("late", (PASSES,), needs=("early",)),), (Stage("early", (PASSES,)),)))
    assert list(report.results.items()) == [("early", True), ("late", True)]
    assert report.counts == {"passed": 4, "skipped": 2}


def test_a_stage_does_not_run_when_what_it_needs_failed(capsys: pytest.CaptureFixture[str]) -> None:
    report = suite.run_lanes(((Stage("early", (FAILS,)),), (Stage("late", (PASSES,), needs=("early",)),)))
    assert report.results == {"early": False, "late": False}
    assert "late: not run, because early failed" in capsys.readouterr().out


def test_every_command_of_a_stage_runs_and_one_failure_is_enough() -> None:
    report = suite.run_lanes(((Stage("both", (FAILS, PASSES)),),))
    assert (report.results, report.counts["passed"]) == ({"both": False}, 2)


def test_a_background_stage_yields_the_processor(folder: Path) -> None:
    tell = f"""
import os, time
give_up = time.monotonic() + 10
while os.getpriority(os.PRIO_PROCESS, 0) != {NICE} and time.monotonic() < give_up:
    time.sleep(0.01)
print(os.getpriority(os.PRIO_PROCESS, 0), os.getsid(0) == os.getpid())
"""
    suite.run_lanes(((Stage("low", ((*PYTHON, tell),), background=True),),))
    assert (folder / "low.txt").read_text().split() == [str(NICE), "True"]


def test_an_interrupt_reaches_what_the_terminal_does_not(folder: Path) -> None:
    report = Report()
    with (folder / "low.txt").open("w") as out:
        process = suite.start(("sleep", "60"), out, dict(os.environ), Stage("low", (), background=True), report)
    suite.interrupt(report)
    assert process.wait(10) == -signal.SIGINT


def test_the_suite_starts_before_anything_is_installed() -> None:
    without_packages = [sys.executable, "-S", "-m", "e2e.suite", "--help"]
    subprocess.run(without_packages, check=True, capture_output=True, cwd=Path(suite.__file__).parents[1])


@pytest.mark.parametrize("what", suite.list_choices())
def test_whatever_is_asked_for_comes_with_the_environment_it_needs(what: str) -> None:
    lanes = suite.list_choices()[what]
    names = {stage.name for lane in lanes for stage in lane}
    assert {need for lane in lanes for stage in lane for need in stage.needs} <= names


def test_the_lanes_of_the_suite_wait_for_each_other_and_come_to_an_end() -> None:
    lanes = tuple(tuple(replace(stage, commands=(PASSES,)) for stage in lane) for lane in suite.LANES)
    ended = list(suite.run_lanes(lanes).results)
    assert sorted(ended) == sorted(stage.name for lane in suite.LANES for stage in lane)
    for stage in (stage for lane in suite.LANES for stage in lane):
        assert all(ended.index(other) < ended.index(stage.name) for other in stage.needs)
