"""`python -m coderag_model fetch | fetch-folder | inspect | geometry | digest`.

Exit code 0, 1 (final) or 75 (the same command may succeed later).
"""

import argparse
import hashlib
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from coderag_model import logs
from coderag_model.bounded import GgufError
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError, volume_error
from coderag_model.fetch import ModelFile, digest_file, fetch, inspect
from coderag_model.folder import Wanted, fetch_folder
from coderag_model.opening import PATIENCE, open_model
from coderag_model.report import (
    describe_failure,
    describe_folder,
    describe_geometry,
    describe_success,
    describe_unmeasured,
    write_report,
)
from coderag_model.source import Source, safe_url

FINAL, TRY_AGAIN = 1, 75
TOKEN_VARIABLE = "MODEL_TOKEN"  # noqa: S105  the name, not the token
ONE_WORD = re.compile(r"[\x21-\x7e]+")
FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
FILE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Interrupted(Exception):  # noqa: N818  not an error
    """The process was asked to stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = build_parser().parse_args(arguments)
    logs.configure()
    signal.signal(signal.SIGTERM, stop)
    try:
        code: int = options.run(options)
    except Interrupted:
        return fail(FetchError("Interrupted", "stopped by a signal; the next run resumes", transient=True), options)
    except FetchError as error:
        return fail(error, options)
    return code


def fail(error: FetchError, options: argparse.Namespace) -> int:
    """Report a failure; its kind is the exit code."""
    logs.say(
        "failed",
        **{key: value for key, value in describe_failure(error).items() if key != "message"},
        detail=str(error),
    )
    conclude(describe_failure(error), options)
    if getattr(options, "advisory", False):
        return 0
    return TRY_AGAIN if error.transient else FINAL


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="coderag_model", description="Fetch, inspect and verify GGUF files.")
    commands = parser.add_subparsers(required=True)
    get = commands.add_parser("fetch", help="download a file and place it as <sha256>.gguf")
    get.add_argument("--url", type=http_url, required=True)
    get.add_argument("--sha256", type=sha256_text, required=True)
    get.add_argument("--directory", type=Path, required=True)
    add_source_options(get)
    get.add_argument("--termination-log", type=Path, help="where the result goes besides standard output")
    get.set_defaults(run=run_fetch)
    several = commands.add_parser("fetch-folder", help="download the files of a model into one folder")
    several.add_argument("--url", type=http_url, required=True, help="base address of the files")
    several.add_argument("--file", type=wanted_file, action="append", required=True, metavar="PATH=SHA256")
    several.add_argument("--name", type=folder_name, required=True, help="name of the folder")
    several.add_argument("--directory", type=Path, required=True)
    add_source_options(several)
    several.add_argument("--termination-log", type=Path)
    several.set_defaults(run=run_fetch_folder)
    look = commands.add_parser("inspect", help="print what the header of a file says")
    look.add_argument("file", type=Path, nargs="?")
    look.add_argument("--path", type=Path, help="the same as FILE")
    look.add_argument("--termination-log", type=Path)
    look.set_defaults(run=run_inspect)
    plan = commands.add_parser("geometry", help="print what memory planning needs, from the start of a file or address")
    which = plan.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", type=http_url)
    which.add_argument("--path", type=Path)
    add_source_options(plan, PATIENCE)
    plan.add_argument("--termination-log", type=Path)
    plan.add_argument(
        "--advisory", action="store_true", help="exit 0 after a failure too: the download that follows tells the same"
    )
    plan.set_defaults(run=run_geometry)
    count = commands.add_parser("digest", help="print the sha256 of a file or of what an address serves")
    count.add_argument("what", metavar="URL|FILE")
    add_source_options(count)
    count.set_defaults(run=run_digest, termination_log=None)
    return parser


def add_source_options(parser: argparse.ArgumentParser, patience: float = 6 * 3600.0) -> None:
    """Add what concerns the transfer."""
    parser.add_argument(
        "--token-file", type=Path, help=f"file with a bearer token (else the variable {TOKEN_VARIABLE})"
    )
    parser.add_argument(
        "--deadline", type=float, default=patience, help="seconds for everything (default: %(default)s)"
    )
    parser.add_argument("--read-timeout", type=float, default=30.0, help="seconds without a byte that end a connection")


def run_fetch(options: argparse.Namespace) -> int:
    """Download, verify, place."""
    logs.say("fetching", url=safe_url(options.url), sha256=options.sha256)
    source = Source(options.url, read_token(options.token_file), read=options.read_timeout)
    found = fetch(source, options.sha256, options.directory, Deadline(options.deadline))
    return succeed(found, options)


def run_fetch_folder(options: argparse.Namespace) -> int:
    """Download, verify and place every file of a model."""
    logs.say("fetching", url=safe_url(options.url), files=len(options.file))
    token = read_token(options.token_file)
    found = fetch_folder(
        options.url, options.file, options.directory / options.name, Deadline(options.deadline),
        lambda url: Source(url, token, read=options.read_timeout),
    )  # fmt: skip
    conclude(describe_folder(found), options)
    return 0


def run_inspect(options: argparse.Namespace) -> int:
    """Read the header of a file that somebody else put there."""
    path = options.path or options.file
    if path is None:
        raise FetchError("NotFound", "no file is named: give FILE or --path")
    return succeed(inspect(path), options)


def run_geometry(options: argparse.Namespace) -> int:
    """Tell what a model is before it is here; one that only cannot be measured is no failure: it can be fetched."""
    token = read_token(options.token_file) if options.url else None
    place = options.url or str(options.path)
    try:
        model = open_model(place, token, deadline=Deadline(options.deadline), read=options.read_timeout)
        report = describe_geometry(model)
    except GgufError as error:
        raise FetchError(error.reason, str(error)) from None
    except FetchError as error:
        if error.reason != "Unsupported":
            raise
        report = describe_unmeasured(error)
    conclude(report, options)
    return 0


def run_digest(options: argparse.Namespace) -> int:
    """Hash a file, near or far."""
    deadline = Deadline(options.deadline)
    if "://" not in options.what:
        try:
            print(f"{digest_file(Path(options.what), deadline)}  {options.what}")  # noqa: T201
        except OSError as error:
            raise volume_error(error, f"reading {options.what}") from None
        return 0
    found = hashlib.sha256()
    source = Source(options.what, read_token(options.token_file), read=options.read_timeout)
    for block in source.blocks(deadline):
        found.update(block)
    print(f"{found.hexdigest()}  {safe_url(options.what)}")  # noqa: T201
    return 0


def succeed(found: ModelFile, options: argparse.Namespace) -> int:
    """Report a usable file."""
    conclude(describe_success(found), options)
    return 0


def conclude(report: dict[str, object], options: argparse.Namespace) -> None:
    """Print the result and leave it for the kubelet."""
    print(json.dumps(report), flush=True)  # noqa: T201
    write_report(report, options.termination_log)


def read_token(path: Path | None) -> str | None:
    """Return the bearer token, from a file or from the environment."""
    try:
        token = path.read_text().strip() if path else os.environ.get(TOKEN_VARIABLE, "").strip()
    except (OSError, UnicodeDecodeError):
        raise FetchError("Unauthorized", f"the token file {path} cannot be read") from None
    if token and not ONE_WORD.fullmatch(token):
        raise FetchError("Unauthorized", "the token has spaces, line breaks or letters outside ASCII")
    return token or None


def http_url(text: str) -> str:
    """Check an address; its text is not repeated, because it may hold a password."""
    if not re.match(r"https?://[^/?#\s]+", text):
        raise argparse.ArgumentTypeError("an http:// or https:// address is needed")
    return text


def sha256_text(text: str) -> str:
    """Check a sha256."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("64 hexadecimal digits are needed")
    return text.lower()


def wanted_file(text: str) -> Wanted:
    """Check a file of a folder."""
    path, _, digest = text.rpartition("=")
    if not FILE_PATH.fullmatch(path):
        raise argparse.ArgumentTypeError("a path of letters, digits, dots, dashes and slashes is needed before =")
    return Wanted(path, sha256_text(digest))


def folder_name(text: str) -> str:
    """Check the name of a folder."""
    if not FOLDER_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("a name of lower-case letters, digits and dashes is needed")
    return text


def stop(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an orderly failure: the part is kept and the report written."""
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
