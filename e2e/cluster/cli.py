"""The commands a person types. Answers go to stdout, progress and errors to stderr."""

import argparse
import sys
from collections.abc import Sequence

from e2e.cluster import commands_build, commands_cluster, commands_plane
from e2e.cluster.errors import ClusterError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="python3 -m e2e.cluster",
        description="A real Kubernetes for the demo and the end-to-end tests, with or without a container engine.",
    )
    subcommands = root.add_subparsers(metavar="COMMAND", required=True)
    for module in (commands_cluster, commands_build, commands_plane):
        module.register(subcommands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 and a message that names the remedy when it cannot be done."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command continues or repairs what is there", file=sys.stderr)
        return 130
    return 0
