"""`coderag-eval mine`: questions from a repository on disk, written as a file for `coderag-eval run`."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from coderag_eval.mining.commits import CommitRule, mine_commits
from coderag_eval.mining.docstrings import documented_functions
from coderag_eval.mining.names import holds_word_of_name
from coderag_eval.questions import Expected, InvalidQuestions, Question, write_questions


def mine(options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    """Write the questions and say how many there are; raises InvalidQuestions when there is none."""
    folder, name, most = options.repository, options.name, options.most
    if options.kind == "commits":
        rule = CommitRule(suffixes=tuple(options.suffix)) if options.suffix else CommitRule()
        questions = mine_commits(folder, name, most, rule)
    else:
        questions = mine_docstrings(folder, name, most)
    if not questions:
        raise InvalidQuestions(f"no {options.kind} of {name} make a question")
    write_questions(options.out, questions)
    sys.stdout.write(f"{len(questions)} questions written to {options.out}\n")
    return 0


def mine_docstrings(folder: Path, name: str, most: int) -> list[Question]:
    """Return name-free questions for the Python functions of a folder, each asked once.

    An index that holds the docstrings answers these too easily: they are for one that was built without them.
    """
    questions: dict[str, Question] = {}
    for path, text in _python(folder):
        for function in documented_functions(path, text):
            if not holds_word_of_name(function.query, function.name) and len(questions) < most:
                expected = (Expected(path=path, repository=name, symbol=function.qualified),)
                number = f"{name}:{path}:{function.qualified}:{function.line}"
                made = Question(id=number, query=function.query, set="docstrings", expected=expected)
                questions.setdefault(function.query.lower(), made)
    return list(questions.values())


def _python(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.py")):
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8", errors="replace")
