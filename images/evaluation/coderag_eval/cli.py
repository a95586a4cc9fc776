"""coderag-eval: measure a running CodeRAG, hold figures against a gate, and mine questions from a repository.

Exit codes: 0 measured and every gate passed; 1 a gate failed; 2 wrong usage, settings or files; 3 a question was not
answered or not judged, so the figures are incomplete.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from coderag_eval.gate import InvalidGate
from coderag_eval.mine import mine
from coderag_eval.mining.commits import HistoryUnreadable
from coderag_eval.questions import InvalidQuestions
from coderag_eval.report import InvalidReport
from coderag_eval.run import run
from coderag_eval.settings import InvalidSettings

USAGE = 2
_WRONG = (InvalidGate, InvalidQuestions, InvalidReport, InvalidSettings, HistoryUnreadable, OSError)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run the command and return its exit code; whatever the user can mend is one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options, environ))
    except _WRONG as error:
        sys.stderr.write(f"coderag-eval: {error}\n")
        _leave(getattr(options, "message", None), str(error))
        return USAGE


def _leave(file: Path | None, message: str) -> None:
    """Say it where a Job is read from, too; that this fails must not hide what went wrong."""
    with suppress(OSError):
        if file is not None:
            file.write_text(message[:1000], encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    lines = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(prog="coderag-eval", description=lines[0], epilog=lines[1])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="ask questions of a running service and report", epilog=_ENVIRONMENT))
    _add_mine(commands.add_parser("mine", help="make questions from a repository on disk"))
    return parser


_ENVIRONMENT = (
    "Environment: RAG_URL and RAG_API_KEY name the search service; JUDGE_URL, JUDGE_MODEL and JUDGE_API_KEY an "
    "OpenAI-compatible endpoint that grades answers (without JUDGE_URL nothing is graded)."
)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("questions", nargs="+", type=Path, help="files of questions, one JSON object a line")
    add("--set", action="append", default=[], help="only the questions of this set; may be repeated")
    add("--repository", action="append", default=[], help="search only this repository; may be repeated")
    add("--any-commit", action="store_true", help="ask mined questions of whatever commit is served (figures leak)")
    add("--no-answers", action="store_true", help="search only, even where a reference answer is given")
    add("--report", type=Path, help="write everything as JSON")
    add("--plot", type=Path, help="write a picture as SVG")
    add("--message", type=Path, help="write the figures in at most 4,096 bytes, for a termination message")
    add("--gate", action="append", default=[], metavar="MEASURE>=N", help="e.g. ndcg@10>=0.5 or korean:r@5>=0.4")
    add("--baseline", type=Path, help="an earlier report of the same questions to compare with")
    add("--max-drop", type=float, default=0.02, help="how far ndcg@10 may drop below the baseline (default 0.02)")
    add("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(do=run)


def _add_mine(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("kind", choices=["commits", "docstrings"], help="what to make questions of")
    add("repository", type=Path, help="a folder: a Git repository for commits, any folder for docstrings")
    add("--name", required=True, help="the repository's name in the index")
    add("--out", type=Path, required=True, help="the file to write")
    add("--most", type=int, default=400, help="how many questions at most (default 400)")
    add("--suffix", action="append", default=[], help="files that count as places of commits (default .py)")
    parser.set_defaults(do=mine)
