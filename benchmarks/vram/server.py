"""Start llama-server with the operator's flags and read from its log what it takes; it is stopped before it serves."""

import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.vram.points import Point

LIMIT_SECONDS = 120.0
SIZES = {
    "weights": re.compile(r" model buffer size = +([\d.]+) MiB"),
    "kv": re.compile(r" KV buffer size = +([\d.]+) MiB"),
    "compute": re.compile(r" compute buffer size = +([\d.]+) MiB"),
    "output": re.compile(r" output buffer size = +([\d.]+) MiB"),
}
BUILD = re.compile(r"build (\d+)")
END = re.compile(r"sched_reserve: reserve took")


class ServerError(Exception):
    """The server ended, or said nothing of its memory in time; carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Reported:
    """MiB as the server reports them, added up per kind; a sliding window has a cache of its own."""

    weights: float
    kv: float
    compute: float
    output: float


def build_of(program: Path) -> int:
    """Return the build number of a llama-server."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = BUILD.search(done.stdout + done.stderr)
    if not found:
        raise ServerError(f"{program} does not say which build it is: {(done.stdout + done.stderr)[-300:]}")
    return int(found[1])


def flags(model: Path, point: Point) -> list[str]:
    """Return the operator's command line, and what makes the processor's buffers those of a device.

    Repacked weights would be a second buffer, a warm-up run would read the hole in the file, and the sizes are only
    logged from verbosity 4 on. Port 0 takes any free port; the server is stopped before it listens.
    """
    operator = {
        "--model": model, "--host": "127.0.0.1", "--port": 0, "--fit": "off", "--n-gpu-layers": 0,
        "--ctx-size": point.context_tokens * point.slots, "--parallel": point.slots,
        "--batch-size": max(512, point.ubatch), "--ubatch-size": point.ubatch, "--flash-attn": "on",
        "--cache-type-k": point.kv_type, "--cache-type-v": point.kv_type, "--cache-ram": 512, "--load-mode": "mmap",
        "--threads": 1, "--log-verbosity": 4,
    }  # fmt: skip
    pairs = [str(text) for pair in operator.items() for text in pair]
    return [*pairs, "--no-kv-unified", "--no-webui", "--offline", "--jinja", "--no-repack", "--no-warmup"]


def measure(program: Path, model: Path, point: Point) -> Reported:
    """Return what the server reports for a model at a point; raises ServerError."""
    command = ["nice", "-n", "19", str(program), *flags(model, point)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(model.parent)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        # A server that says nothing is killed too: its output ends with it.
        alarm = threading.Timer(LIMIT_SECONDS, process.kill)
        alarm.start()
        try:
            return _sum_up(_until_reserved(process))
        finally:
            alarm.cancel()
            process.kill()


def _until_reserved(process: "subprocess.Popen[str]") -> list[str]:
    """Return the log up to the line that follows the sizes."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if END.search(line):
            return lines
    raise ServerError(f"llama-server ended before it had reserved its memory:\n{''.join(lines[-8:])}")


def _sum_up(lines: list[str]) -> Reported:
    found: dict[str, float] = {}
    for line in lines:
        for kind, pattern in SIZES.items():
            if match := pattern.search(line):
                found[kind] = found.get(kind, 0.0) + float(match[1])
    missing = [kind for kind in SIZES if kind not in found]
    if missing:
        raise ServerError(f"llama-server did not report {', '.join(missing)}; do its log lines read differently now?")
    return Reported(**found)
