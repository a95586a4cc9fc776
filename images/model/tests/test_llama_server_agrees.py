"""What is measured of a model is what a real llama-server says of it when it loads it: weights, layers, windows."""

import re
import subprocess
import threading
from pathlib import Path

import pytest
from coderag_model.architectures import MODELLED
from coderag_model.opening import open_geometry
from coderag_model.tensors import CPU
from served_models import CONTEXT, write

from e2e.standins.llama_server import ensure

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]  # the first run may have to compile the server
MIB = 1024 * 1024
WEIGHTS = re.compile(r" model buffer size = +([\d.]+) MiB")
CACHE = re.compile(r"size = +([\d.]+) MiB \( *(\d+) cells, +(\d+) layers")
END = re.compile(r"sched_reserve: reserve took")
# Repacked weights would be a second buffer, and the sizes are only logged from verbosity 4 on. The server is stopped
# before it listens.
FLAGS = (
    f"--host 127.0.0.1 --port 0 --fit off --n-gpu-layers 0 --ctx-size {CONTEXT} --parallel 1 --batch-size 128 "
    "--ubatch-size 128 --flash-attn on --load-mode none --threads 1 --log-verbosity 4 --no-kv-unified --no-webui "
    "--offline --no-repack --no-warmup --cache-ram 64"
).split()


@pytest.fixture(scope="module")
def program() -> Path:
    return ensure()


def log_of(program: Path, model: Path) -> str:
    """The log up to the line after the sizes."""
    command = [str(program), "--model", str(model), *FLAGS]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(model.parent)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        alarm = threading.Timer(120, process.kill)
        alarm.start()
        lines = []
        for line in process.stdout:
            lines.append(line)
            if END.search(line):
                break
        process.kill()
        alarm.cancel()
    return "".join(lines)


@pytest.mark.parametrize("architecture", MODELLED)
def test_a_server_takes_what_was_measured(program, tmp_path, architecture):
    path = tmp_path / "m.gguf"
    write(path, architecture)
    found, log = open_geometry(str(path), allocator=CPU), log_of(program, path)
    own = 0 if found.tied else found.input_bytes  # on a processor the duplicate is the original
    weights = (sum(found.block_bytes) + found.output_bytes + own) / MIB
    assert sum(float(size) for size in WEIGHTS.findall(log)) == pytest.approx(weights, abs=0.0051), log[-2000:]
    caches = {int(cells): (float(size), int(layers)) for size, cells, layers in CACHE.findall(log)}
    full = found.sliding_layers.count(False)
    assert caches.pop(CONTEXT) == (pytest.approx(cells_mib(found, full, CONTEXT), abs=0.0051), full)
    windowed = [(layers, cells) for cells, (_, layers) in caches.items()]
    # a window's cache holds the window and one batch, rounded up to 256 cells
    assert windowed == ([(found.sliding_layers.count(True), 768)] if found.sliding_window else [])


def cells_mib(found, layers: int, cells: int) -> float:
    """Keys and values of alike layers as halves."""
    return 2 * found.head_count_kv[0] * (found.key_length + found.value_length) * layers * cells / MIB
