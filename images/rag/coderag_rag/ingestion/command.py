"""The command `dry-run`: what would be indexed of a repository, without a stack."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from coderag_rag.env import InvalidSetting
from coderag_rag.git.command import Git, base_environment
from coderag_rag.git.credentials import credential_environment, write_askpass
from coderag_rag.git.errors import GitError
from coderag_rag.git.repository import Repository
from coderag_rag.ingestion.dry_run import DryRun
from coderag_rag.ingestion.preparer import Preparer
from coderag_rag.ingestion.repositories import check_folder, check_ref, check_url, check_wanted
from coderag_rag.ingestion.source import Source


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m coderag_rag.ingestion", description=__doc__)
    look = parser.add_subparsers(dest="command", required=True).add_parser("dry-run", help="show what would be indexed")
    look.add_argument("--url", required=True, help="address of the Git repository")
    look.add_argument("--ref", default="HEAD", help="branch, tag or commit (default: %(default)s)")
    for name, meaning in (("path", "folder to index"), ("include", "glob to index"), ("exclude", "glob to leave out")):
        look.add_argument(f"--{name}", action="append", help=f"{meaning}; may be given several times")
    look.add_argument("--credentials-dir", help="folder with token, username and password, or ssh-privatekey")
    look.add_argument("--allow-file", action="store_true", help="allow file:// addresses")
    look.add_argument(
        "--seconds", type=float, default=60, help="read so long, estimate the rest (default: %(default)s)"
    )
    look.add_argument("--json", action="store_true", help="print the whole report as JSON")
    return parser


def dry_run(arguments: Sequence[str]) -> int:
    """Print the report; 2 for wrong arguments, 1 when the remote cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="dry-run-") as folder:
            report = asyncio.run(_report(given, Path(folder)))
    except InvalidSetting as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (GitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n" if given.json else describe(report))
    return 0


async def _report(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    url, ref = check_url(given.url, "--url", given.allow_file), check_ref(given.ref, "--ref")
    wanted = check_wanted({"paths": given.path, "include": given.include, "exclude": given.exclude}, "--")
    write_askpass(folder)
    credentials = partial(credential_environment, check_folder(given.credentials_dir, "--credentials-dir"), folder)
    git = Git(base_environment(given.allow_file), credentials=credentials)
    preparer = Preparer(deadline=20)
    try:
        source = Source("dry-run", ref, Repository(git, url, folder / "unused.git"), wanted)
        return await DryRun(preparer, folder, given.seconds).of(source)
    finally:
        await preparer.aclose()


def describe(report: dict[str, Any]) -> str:
    """Return the report for people."""
    about = "about " if not report["complete"] else ""
    lines = [
        f"commit {report['commit']} at {report['ref']}",
        f"{report['files']} files, {about}{report['chunks']} chunks, {about}{report['embeddings']} to embed, "
        f"{report['secrets_redacted']} secrets redacted",
        *_table("by language", report["languages"]),
        *_table("largest folders", report["largest_folders"]),
        *_table("skipped or less than fully searchable", report["skipped_counts"]),
        *_table("not wanted", report["not_wanted"]),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, rows: dict[str, int]) -> list[str]:
    return [f"{title}:", *(f"  {count:>8}  {name}" for name, count in rows.items())] if rows else []
