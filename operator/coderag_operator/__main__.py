"""python -m coderag_operator: run the operator, ping a URL, or tell the version."""

import argparse
import asyncio
import os
import sys

from coderag_operator import __version__
from coderag_operator.settings import VARIABLES, InvalidSettings, Settings

PING_SECONDS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code."""
    options = build_parser().parse_args(arguments)
    return int(options.run(options))


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; its help lists every variable."""
    lines = [f"  {variable:26} {meaning}" for variable, meaning in VARIABLES.values()]
    lines += [f"  {'CODERAG_IMAGE_<NAME>':26} default image: LLAMA, MODEL, EMBEDDING, RAG, GATEWAY, QDRANT"]
    parser = argparse.ArgumentParser(
        prog="python -m coderag_operator",
        description="Reconciles CodeRagStacks.",
        epilog="environment of run:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("run", help="reconcile until told to stop").set_defaults(run=run)
    commands.add_parser("version", help="print the version").set_defaults(run=version)
    ping_parser = commands.add_parser("ping", help="GET a URL; exit 0 when it answers 200")
    ping_parser.add_argument("url")
    ping_parser.set_defaults(run=ping)
    return parser


def run(_: argparse.Namespace) -> int:
    """Run the operator."""
    from coderag_operator.engine import logs, process  # kopf takes most of a second to import: not for `version`
    from coderag_operator.kube.api import NoCluster

    try:
        settings = Settings.read(os.environ)
        logs.configure(settings.log_level)
        return asyncio.run(process.run(settings))
    except (InvalidSettings, NoCluster) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def ping(options: argparse.Namespace) -> int:
    """Ask a URL; tell by the exit code whether it answers 200."""
    import httpx

    try:
        status = httpx.get(options.url, timeout=PING_SECONDS, trust_env=False).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.stderr.write(f"{options.url} does not answer: {type(error).__name__}\n")
        return 1
    sys.stdout.write(f"{options.url} answers {status}\n")
    return 0 if status == 200 else 1


def version(_: argparse.Namespace) -> int:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
