"""Compare the plan with what llama.cpp reserves on a device that exists on paper only: full offload and parts of it.

llama.cpp is compiled from the source that the images pin (about 10 minutes once), linked with paper_device.cpp, and
loads the six published shapes onto that device, with the product's settings. What the scheduler puts there is compared.

    PYTHONPATH=.:operator:images/model python -m benchmarks.vram.paper --source LLAMA_CPP --build FOLDER

images/llama/build.sh shows how to get the source: LLAMA_CPP is the folder `llama.cpp` in that archive.

Bounds: weights and KV cache to 0.05 MiB, compute buffer at most 1 % too small and, with all layers on the device, 5 %
too large. Exit 0: within; 1: not; 2: it could not be built or run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coderag_model.opening import open_geometry
from coderag_operator.vram.builds import NEW
from coderag_operator.vram.estimate import Shape, estimate

from benchmarks.vram.shapes import MODELS
from benchmarks.vram.sparse import write_sparse

ALL = 999
CMAKE = (
    "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O0", "-DCMAKE_CXX_FLAGS=-O0 -g0", "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_NUMBER=0", "-DLLAMA_BUILD_COMMIT=source", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_TOOLS=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_COMMON=OFF", "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_OPENSSL=OFF", "-DGGML_NATIVE=OFF", "-DGGML_OPENMP=OFF", "-DGGML_CCACHE=OFF",
)  # fmt: skip
LIBRARIES = ("src/libllama.a", "ggml/src/libggml.a", "ggml/src/libggml-cpu.a", "ggml/src/libggml-base.a")
SIZE = re.compile(r"PAPER0 (model|KV|compute) buffer size = +([\d.]+)")
NAMES = {"model": "weights", "KV": "kv", "compute": "compute"}
# layers, tokens of all slots, slots, batch, type of the cache
POINTS = (
    (ALL, 4096, 1, 512, "f16"),
    (ALL, 4096, 4, 512, "q8_0"),
    (ALL, 32768, 4, 128, "q8_0"),
    (10, 4096, 1, 512, "f16"),
    (10, 4096, 1, 128, "f16"),
    (10, 4096, 1, 512, "q8_0"),
    (10, 32768, 2, 512, "q8_0"),
    (10, 32768, 2, 128, "f16"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One start: MiB as planned and as reserved."""

    model: str
    layers: int
    shape: Shape
    planned: dict[str, float]
    reserved: dict[str, float]

    def is_within(self) -> bool:
        """Tell whether every term is within its bounds."""
        compute = self.planned["compute"] / self.reserved["compute"] - 1
        most = 0.05 if self.shape.gpu_layers > self.layers else float("inf")
        same = all(abs(self.planned[name] - self.reserved.get(name, 0.0)) <= 0.05 for name in ("weights", "kv"))
        return same and -0.01 <= compute <= most

    def line(self) -> str:
        """Return the row of the table."""
        shape = self.shape
        where = f"{min(shape.gpu_layers, self.layers + 1)} of {self.layers + 1}"
        pairs = [f"{self.planned[name]:.2f} / {self.reserved.get(name, 0.0):.2f}" for name in NAMES.values()]
        cells = [self.model, where, f"{shape.context_tokens} x {shape.slots}", shape.ubatch, shape.kv_type, *pairs]
        deviation = f"{self.planned['compute'] / self.reserved['compute'] - 1:+.1%}"
        return f"| {' | '.join(map(str, cells))} | {deviation}{'' if self.is_within() else ' (outside)'} |"


def build(source: Path, folder: Path) -> Path:
    """Return the program, compiled where it is missing; raises CalledProcessError."""
    program, own = folder / "paper_device", Path(__file__).with_name("paper_device.cpp")
    if program.is_file() and program.stat().st_mtime > own.stat().st_mtime:
        return program
    slow = ["nice", "-n", "19"]
    subprocess.run([*slow, "cmake", "-S", source, "-B", folder, "-G", "Ninja", "-Wno-dev", *CMAKE], check=True)
    subprocess.run([*slow, "cmake", "--build", folder, "--target", "llama", "--parallel", "1"], check=True)
    words = ["g++", "-std=c++17", "-Wall", "-Wextra", "-o", program, own]
    words += [f"-I{source / name}" for name in ("include", "ggml/include", "ggml/src")]
    subprocess.run([*slow, *words, *(folder / name for name in LIBRARIES), "-lpthread", "-ldl"], check=True)
    return program


def rows_of(program: Path, wanted: list[str]) -> Iterator[Row]:
    """Yield the comparison at every point of every wanted model."""
    for model in (model for model in MODELS if not wanted or model.name in wanted):
        with tempfile.TemporaryDirectory(prefix="coderag-paper-") as folder:
            path = Path(folder) / f"{model.name}.gguf"
            write_sparse(path, model)
            geometry = open_geometry(str(path))
            for layers, total, slots, ubatch, kv_type in POINTS:
                shape = Shape(min(layers, model.layers + 1), total // slots, slots, kv_type, ubatch)
                planned = {term.name: term.mib for term in estimate(geometry, shape, NEW, 0.0).device}
                yield Row(model.name, model.layers, shape, planned, reserved(program, path, shape))


def reserved(program: Path, model: Path, shape: Shape) -> dict[str, float]:
    """Return MiB on the device per kind of buffer; raises CalledProcessError."""
    numbers = [shape.gpu_layers, shape.context_tokens * shape.slots, shape.slots, shape.ubatch]
    command = ["nice", "-n", "19", program, model, *map(str, numbers), shape.kv_type]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, float] = {}
    for kind, size in SIZE.findall(done.stderr):
        found[NAMES[kind]] = found.get(NAMES[kind], 0.0) + float(size)
    return found


def main() -> int:
    """Build, run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder with llama.cpp's CMakeLists.txt")
    parser.add_argument("--build", type=Path, required=True, help="folder for what is compiled; kept")
    parser.add_argument("--model", action="append", default=[], choices=[model.name for model in MODELS])
    wanted = parser.parse_args()
    rows: list[Row] = []
    try:
        for row in rows_of(build(wanted.source, wanted.build), wanted.model):
            print(row.line(), file=sys.stderr, flush=True)
            rows.append(row)
    except (OSError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 2
    print("| model | layers | context x slots | ubatch | KV | weights: planned / reserved MiB | KV cache | compute | |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(row.line() for row in rows))
    return 0 if all(row.is_within() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
