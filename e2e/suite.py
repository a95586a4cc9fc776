"""Run the test suites: `python -m e2e.suite all | unit | check | ...`.

Lanes run side by side on `all`: two build the cluster's programs and the images, one of which ends with the cluster
scenarios, the longest stage of all, two run other suites with real servers, and two compute with what the others leave
of the processor. A stage's output goes to a file in build/suite and is printed whole when the stage ends, so that the
lanes never mix.

Runs with the system's Python: the environment of the tests is a stage too, beside what does not need it.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

OUTPUT = Path("build/suite")
FAST = "not integration and not services and not e2e"
QUICK = f"{FAST} and not slow and not hypothesis"  # a third of the time of the fast tests goes into properties
BIN = ".venv/bin"
PYTHON = [f"{BIN}/python", "-m"]
PATIENT = "--timeout=900"  # what runs in the background may have to wait for the processor
NICE = 5  # a third of the weight of what is not nice
PYTEST = [*PYTHON, "pytest", "-q", "--durations=20", "--durations-min=2"]
COVERAGE = ["--cov", "--cov-report=", "--cov-fail-under=0"]  # the bound is on all stages together
PURE = (
    *("desired/*", "failover/*", "observed/*", "vram/*", "capacity.py", "plan.py", "conditions.py"),
    *("index_conditions.py", "memory_conditions.py", "verdict.py", "status.py"),
)
COUNTS = re.compile(r"(\d+) (passed|failed|error|errors|skipped)\b")


@dataclass(frozen=True)
class Stage:
    """One command of the suite; it runs after the stages in `needs`, and only if those passed.

    One in the background takes what the others leave of the processor: it computes, and no clock judges it.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    background: bool = False


ENVIRONMENT = Stage("environment", ((sys.executable, "-m", "e2e.venv", ".venv", "requirements/dev.txt"),))


def pytest_stage(name: str, *arguments: str, needs: tuple[str, ...] = (), cover: bool = True) -> Stage:
    """Return a stage that runs pytest, with coverage data kept for the last stage."""
    command = (*PYTEST, *(COVERAGE if cover else []), *arguments)
    return Stage(name, (command,), (ENVIRONMENT.name, *needs))


def cluster(*arguments: str) -> tuple[str, ...]:
    """Return a command of the cluster tool, which needs no packages."""
    return (sys.executable, "-m", "e2e.cluster", *arguments)


CHECK = Stage(
    "check",
    (
        (*PYTHON, "ruff", "check", "."),
        (*PYTHON, "ruff", "format", "--check", "."),
        (*PYTHON, "mypy"),
        (f"{BIN}/lint-imports",),
        (*PYTHON, "e2e.generate", "--check"),
    ),
    needs=(ENVIRONMENT.name,),
)
# Side by side by folders and not by pytest-xdist: each of its workers collects everything, which costs as much again.
UNIT = replace(
    pytest_stage("unit", "-m", FAST, PATIENT, "operator/tests", "e2e", "charts/tests", "benchmarks"), background=True
)
UNIT_IMAGES = replace(pytest_stage("unit-images", "-m", FAST, PATIENT, "images"), background=True)
# Two halves of the same length.
INNER = (
    pytest_stage("inner-services", "-m", QUICK, "images/rag", "images/gateway", cover=False),
    pytest_stage(
        "inner",
        *("-m", QUICK),
        *("operator/tests/unit", "operator/tests/golden", "images/model", "images/llama", "images/embedding"),
        cover=False,
    ),
)
PROGRAMS = Stage("programs", (cluster("programs"),), background=True)
IMAGES = Stage("images", (cluster("build-images"),), background=True)
INTEGRATION = pytest_stage("integration", "-m", "integration", "operator", "e2e/cluster", needs=("programs",))
CHART = pytest_stage("chart", "charts", "-m", "integration", needs=("programs",), cover=False)
SERVICES = pytest_stage("services", "-m", "services", "--ignore=images/gateway", needs=("images",))
GATEWAY = Stage("gateway", (("images/gateway/run-tests.sh",),))
E2E = pytest_stage("e2e", "e2e/scenarios", "-m", "e2e", "--timeout=1500", needs=("programs", "images"), cover=False)
NODE = pytest_stage("node", "e2e/cluster", "-m", "e2e", PATIENT, needs=("programs", "images"), cover=False)
LANES = (
    (PROGRAMS,),
    (IMAGES, E2E),
    (GATEWAY, CHART, NODE),
    (INTEGRATION, SERVICES),
    (ENVIRONMENT, CHECK, UNIT),
    (UNIT_IMAGES,),
)


@dataclass
class Report:
    """What came out of the stages, shared by the lanes."""

    results: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, name: str, passed: bool, output: str) -> None:
        """Keep the outcome of a stage and wake who waits for it."""
        with self.changed:
            self.results[name] = passed
            for number, word in COUNTS.findall(output.splitlines()[-1] if output.strip() else ""):
                self.counts[word.rstrip("s")] = self.counts.get(word.rstrip("s"), 0) + int(number)
            self.changed.notify_all()

    def wait_for(self, names: tuple[str, ...]) -> bool:
        """Wait until the named stages ended; tell whether all of them passed."""
        with self.changed:
            self.changed.wait_for(lambda: all(name in self.results for name in names))
            return all(self.results[name] for name in names)


def start(
    command: tuple[str, ...], out: IO[str], environment: dict[str, str], stage: Stage, report: Report
) -> subprocess.Popen[bytes]:
    """Start a command of a stage; one in the background as a session of its own, with the least claim to a core.

    The kernel weighs sessions against each other before it weighs processes (sched(7), autogroup), so both are lowered.
    """
    process = subprocess.Popen(
        command, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=stage.background
    )
    if stage.background:
        report.background.append(process)
        os.setpriority(os.PRIO_PGRP, process.pid, NICE)
        group = Path(f"/proc/{process.pid}/autogroup")
        if group.exists():
            group.write_text(str(NICE))
    return process


def interrupt(report: Report) -> None:
    """Pass an interrupt on to what the terminal does not reach, being a session of its own."""
    for process in report.background:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)


def run_stage(stage: Stage, report: Report, say: Callable[[str], None]) -> None:
    """Run one stage, print its output when it ends, keep its result."""
    if not report.wait_for(stage.needs):
        report.add(stage.name, False, "")
        return say(f"--- {stage.name}: not run, because {', '.join(stage.needs)} failed")
    say(f"--- {stage.name}: started")
    started = time.monotonic()
    log = OUTPUT / f"{stage.name}.txt"
    environment = {**os.environ, "COVERAGE_FILE": str(Path(".coverage." + stage.name).absolute())}
    with log.open("w") as out:
        codes = [start(command, out, environment, stage, report).wait() for command in stage.commands]
    text = log.read_text()
    passed = not any(codes)
    report.add(stage.name, passed, text)
    say(f"{text.rstrip()}\n--- {stage.name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return None


def heartbeat(report: Report, stop: threading.Event) -> None:
    """Say every minute which stages are still running, so that a long build does not look dead."""
    started = time.monotonic()
    while not stop.wait(60):
        running = [path.stem for path in OUTPUT.glob("*.txt") if path.stem not in report.results]
        print(f"    {time.monotonic() - started:4.0f} s: running {', '.join(sorted(running))}", flush=True)


def run_lanes(lanes: tuple[tuple[Stage, ...], ...]) -> Report:
    """Run lanes of stages side by side."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for old in OUTPUT.glob("*.txt"):
        old.unlink()
    report, stop, lock = Report(), threading.Event(), threading.Lock()

    def say(text: str) -> None:
        with lock:
            print(text, flush=True)

    def run(lane: tuple[Stage, ...]) -> None:
        for stage in lane:
            run_stage(stage, report, say)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in lanes]
    threading.Thread(target=heartbeat, args=(report, stop), daemon=True).start()
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        interrupt(report)
        raise
    stop.set()
    return report


def judge_coverage() -> bool:
    """Combine the coverage of all stages and hold it to the bounds: 90 % overall, 100 % of the operator's pure half."""
    pure = ",".join(f"*/coderag_operator/{name}" for name in PURE)
    tool = [*PYTHON, "coverage"]
    subprocess.run([*tool, "combine", "--quiet", *map(str, Path().glob(".coverage.*"))], check=True)
    bounds = [subprocess.run([*tool, "report"]).returncode]
    bounds.append(subprocess.run([*tool, "report", f"--include={pure}", "--fail-under=100"]).returncode)
    return not any(bounds)


def alone(stage: Stage) -> tuple[tuple[Stage, ...], ...]:
    """Return the lanes of a stage that trusts what was built before: of all it waits for, only the environment."""
    needs = tuple(name for name in stage.needs if name == ENVIRONMENT.name)
    one = (replace(stage, needs=needs),)
    return ((ENVIRONMENT,), one) if needs else (one,)


def list_choices() -> dict[str, tuple[tuple[Stage, ...], ...]]:
    """Return what the command line can ask for: all, the inner loop, or one stage."""
    single = {stage.name: alone(stage) for lane in LANES for stage in lane}
    return {"all": LANES, "inner": ((ENVIRONMENT,), *((stage,) for stage in INNER)), **single}


def main() -> int:
    """Run what the command line asks for; exit 0 only if everything passed."""
    parser = argparse.ArgumentParser(prog="python -m e2e.suite", description=__doc__)
    parser.add_argument("what", choices=list_choices())
    what = parser.parse_args().what
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started with interrupts ignored
    report = run_lanes(list_choices()[what])
    covered = judge_coverage() if what == "all" and report.results[ENVIRONMENT.name] else True
    for name, passed in report.results.items():
        print(f"{'ok    ' if passed else 'FAILED'} {name}")
    failed = report.counts.get("failed", 0) + report.counts.get("error", 0)
    good = all(report.results.values()) and covered
    print(f"{report.counts.get('passed', 0)} passed, {failed if good else max(failed, 1)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
