"""Compare what the operator plans for a model server with what llama-server itself reports, and print the table.

Six models at their published shapes are written as GGUF files that are all header (the weights are a hole), loaded by
the very llama-server that the product ships, with its flags, on the processor: its buffers are those of a device that
holds everything. Each start takes one to three seconds; the server is stopped before it serves.

    python benchmarks/vram.py [--full] [--model NAME]... [--server PATH] [--record FILE]

Weights, KV cache and output buffer must agree to 0.01 MiB, the compute buffer may be planned up to 5 % too large and
1 % too small. Exit 0: they do; 1: they do not; 2: llama-server is missing or could not be measured.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parent.parent / part) for part in (".", "operator", "images/model"))

from coderag_model.opening import open_geometry
from coderag_model.tensors import CPU
from coderag_operator.vram.builds import BuildRule, rule_of

from benchmarks.vram.compare import Row, plan, summary, table
from benchmarks.vram.points import Point, all_points, few
from benchmarks.vram.record import write_record
from benchmarks.vram.server import ServerError, build_of, measure
from benchmarks.vram.shapes import MODELS, Published
from benchmarks.vram.sparse import write_sparse
from e2e.standins.llama_server import program


@contextmanager
def file_of(model: Published) -> Iterator[Path]:
    """Write the model's file into a folder of its own, which goes with the block."""
    with tempfile.TemporaryDirectory(prefix="coderag-vram-") as folder:
        path = Path(folder) / f"{model.name}.gguf"
        write_sparse(path, model)
        yield path


def rows_of(server: Path, model: Published, points: Iterable[Point], rule: BuildRule) -> Iterator[Row]:
    """Yield the comparison of one model at each point."""
    with file_of(model) as path:
        geometry = open_geometry(str(path), allocator=CPU)
        for point in points:
            reported = measure(server, path, point)
            row = Row(model.name, geometry, point, plan(geometry, point, rule), reported)
            say(f"{model.name} {point.context_tokens} x {point.slots}, ubatch {point.ubatch}, {point.kv_type}", row)
            yield row


def say(what: str, row: Row) -> None:
    """Write progress."""
    verdict = f"outside: {', '.join(row.failures())}" if row.failures() else "agrees"
    print(f"{what}: {verdict}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [model.name for model in MODELS]
    parser.add_argument("--full", action="store_true", help="every combination of the grid (about 45 minutes)")
    parser.add_argument("--model", action="append", choices=names, help="only this model; may be given repeatedly")
    parser.add_argument("--server", type=Path, default=program(), help="llama-server (default: the built one)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what was measured for the unit tests")
    return parser.parse_args()


def main() -> int:
    """Measure, print the table and the worst deviations."""
    wanted = arguments()
    if not wanted.server.is_file():
        print(f"{wanted.server} is missing: python3 -m e2e.standins.llama_server builds it", file=sys.stderr)
        return 2
    chosen = [model for model in MODELS if not wanted.model or model.name in wanted.model]
    points = list(all_points() if wanted.full else few())
    rows: list[Row] = []
    try:
        build = build_of(wanted.server)
        for model in chosen:
            rows += rows_of(wanted.server, model, points, rule_of(build))
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    origin = f"llama.cpp build {build} on a processor, flash attention on, weights not repacked"
    print(f"{origin}\n\n{table(rows)}\n{summary(rows)}", end="")
    if wanted.record:
        write_record(wanted.record, origin, rows)
    return 1 if any(row.failures() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
