"""The program `coderag`: one command for each thing that it can do."""

import argparse
import sys
from collections.abc import Sequence

from coderag_operator import __version__
from coderag_operator.commands import plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code."""
    options = build_parser().parse_args(arguments)
    return int(options.run(options))


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(prog="coderag", description="Tools around a CodeRagStack that need no cluster.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    plan.configure(commands.add_parser("plan", **plan.DESCRIPTION))
    return parser


if __name__ == "__main__":
    sys.exit(main())
