"""coderag plan: whether two models fit on a GPU together, with how many layers, and if not, what would make them fit.

Exit code 0: they fit, 3: they do not, 2: the command line or a model cannot be used.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from coderag_operator.commands.inputs import BadInput, build_number, layers, read_geometry, read_token, whole
from coderag_operator.vram.answer import to_json
from coderag_operator.vram.bar import to_svg
from coderag_operator.vram.builds import rule_of
from coderag_operator.vram.planner import OVERHEAD_MIB, Plan, plan_memory
from coderag_operator.vram.table import to_table
from coderag_operator.vram.wish import LEAST_CONTEXT, ROLES, Wish

FITS, BAD_INPUT, DOES_NOT_FIT = 0, 2, 3
DESCRIPTION: dict[str, Any] = {
    "help": "plan the GPU memory of a chat and a code model",
    "description": "Plan the GPU memory of a chat and a code model, or of one of them, from their headers alone.",
    "epilog": "Exit code: 0 fits, 3 does not fit, 2 bad input. How it plans: docs/vram-plan.md.",
}
MODEL = "a GGUF file, or an http(s) address that serves ranges; of a split model its first file"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to a parser."""
    parser.add_argument("--chat", metavar="FILE|URL", help=MODEL)
    parser.add_argument("--code", metavar="FILE|URL", help=MODEL)
    parser.add_argument("--token-file", type=Path, help="file with a bearer token; it is sent to the models' addresses")
    parser.add_argument("--budget-mib", type=whole(1, 2**24), required=True, help="what the servers may take together")
    parser.add_argument(
        "--per-server-mib", type=whole(1, 2**24), help="what each may take, where the GPU is split (MPS)"
    )
    parser.add_argument("--context", type=whole(1024, 2**20), default=4096, help="tokens of a request (4096)")
    parser.add_argument(
        "--min-context",
        type=whole(512, 2**20),
        help=f"tokens down to which the plan may go (the smaller of --context and {LEAST_CONTEXT})",
    )
    parser.add_argument("--parallel", type=whole(1, 64), default=2, help="requests at the same time, per server (2)")
    parser.add_argument("--kv-type", choices=("Auto", "f16", "q8_0"), default="Auto", help="precision of the KV cache")
    parser.add_argument("--ubatch", type=whole(64, 2048), help="tokens of a prompt at once (512, or 256 if need be)")
    for role in ROLES:
        parser.add_argument(f"--{role}-layers", type=layers, default="Auto", help="Auto, All or --n-gpu-layers' number")
    parser.add_argument("--build", type=build_number, help="build of llama.cpp, as in b9476 (the newest rules)")
    parser.add_argument(
        "--overhead-mib",
        type=whole(0, 65536),
        default=OVERHEAD_MIB,
        help=f"CUDA context of each server ({OVERHEAD_MIB:.0f})",
    )
    parser.add_argument("--json", action="store_true", help="print what status.vramPlan of a stack would hold")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the plan into a file, too")
    parser.set_defaults(run=run, parser=parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command on its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="coderag plan", description=DESCRIPTION["description"])
    parser.epilog = DESCRIPTION["epilog"]
    configure(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Plan, print, and tell by the exit code whether it fits."""
    try:
        plan = make_plan(options)
        if options.svg:
            write_drawing(options.svg, plan)
    except BadInput as error:
        sys.stderr.write(f"{options.parser.prog}: error: {error}\n")
        return BAD_INPUT
    print_plan(plan, sys.stdout, as_json=options.json, environ=os.environ)
    return FITS if plan.fits else DOES_NOT_FIT


def make_plan(options: argparse.Namespace) -> Plan:
    """Read the models and plan; raises BadInput naming the argument."""
    if not (options.chat or options.code):
        raise BadInput("--chat, --code", "no model is named", "give one of them, or both")
    token = read_token(options.token_file)
    wishes = {role: make_wish(options, role, token) for role in ROLES if getattr(options, role)}
    rule = rule_of(options.build)
    return plan_memory(wishes, options.budget_mib, rule, options.overhead_mib, options.per_server_mib)


def make_wish(options: argparse.Namespace, role: str, token: str | None) -> Wish:
    """Return what the command line asks for one model."""
    least = min(LEAST_CONTEXT, options.context) if options.min_context is None else options.min_context
    if least > options.context:
        raise BadInput("--min-context", f"{least} is above --context {options.context}", "lower it, or leave it out")
    return Wish(
        geometry=read_geometry(f"--{role}", getattr(options, role), token),
        context_tokens=options.context,
        min_context_tokens=least,
        parallel=options.parallel,
        gpu_layers=getattr(options, f"{role}_layers"),
        kv_type=options.kv_type,
        ubatch=options.ubatch,
    )


def write_drawing(path: Path, plan: Plan) -> None:
    """Write the bar; raises BadInput."""
    try:
        path.write_text(to_svg(plan), encoding="utf-8")
    except OSError as error:
        raise BadInput(
            "--svg", f"{path} cannot be written: {error.strerror}", "give a path in a folder of yours"
        ) from None


def print_plan(plan: Plan, stream: TextIO, *, as_json: bool, environ: Mapping[str, str]) -> None:
    """Print the plan; in colour only for a person at a terminal who did not ask for none (no-color.org)."""
    if as_json:
        stream.write(json.dumps(to_json(plan), indent=2) + "\n")
        return
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    stream.write(to_table(plan, colour=colour))


if __name__ == "__main__":
    sys.exit(main())
