"""Questions and what answers them, one JSON object a line.

A right place is named by path, and by symbol where lines would move with every edit. Whoever wrote a question also says
in which set it counts: sets are reported apart.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_CONFIG = ConfigDict(extra="forbid", frozen=True)


class InvalidQuestions(Exception):  # noqa: N818 - reads as the state it names
    """A file of questions is not what it should be; the message names the line and the field."""


class Expected(BaseModel):
    """A right place: a file, a symbol in it, or lines of it (1-based, inclusive)."""

    model_config = _CONFIG
    path: str = Field(min_length=1)
    repository: str | None = None
    symbol: str | None = Field(default=None, min_length=1)
    start_line: int | None = Field(default=None, ge=1)
    end_line: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def ordered(self) -> "Expected":
        """Refuse lines that are half given or the wrong way round."""
        if (self.start_line is None) != (self.end_line is None) or (self.start_line or 0) > (self.end_line or 0):
            raise ValueError("give start_line and end_line, the first not after the second")
        return self


class Question(BaseModel):
    """One question. `commit`: the only state of the repository that it may be asked of."""

    model_config = _CONFIG
    id: str = Field(min_length=1)
    query: str = Field(min_length=1)
    set: str = Field(default="curated", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")
    expected: tuple[Expected, ...] = ()
    repositories: tuple[str, ...] = ()
    reference: str | None = Field(default=None, min_length=1)
    commit: str | None = None

    @model_validator(mode="after")
    def answerable(self) -> "Question":
        """Refuse a question that nothing can be measured with."""
        if not self.expected and self.reference is None:
            raise ValueError("give `expected` (right places) or `reference` (an answer by a person), or both")
        return self


def read_questions(files: Iterable[Path]) -> list[Question]:
    """Return the questions of files in their order; raises InvalidQuestions."""
    questions: list[Question] = []
    seen: set[str] = set()
    for file in files:
        for number, line in enumerate(_text(file).split("\n"), start=1):
            if line.strip():
                question = _parse(line, f"{file.name}:{number}")
                if question.id in seen:
                    raise InvalidQuestions(f"{file.name}:{number}: id {question.id!r} is taken: give each its own")
                seen.add(question.id)
                questions.append(question)
    if not questions:
        raise InvalidQuestions("there is no question: give at least one line of JSON")
    return questions


def write_questions(file: Path, questions: Iterable[Question]) -> None:
    """Write questions, one a line."""
    lines = [question.model_dump_json(exclude_defaults=True) for question in questions]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidQuestions(f"{file} cannot be read: {error}") from None


def _parse(line: str, where: str) -> Question:
    try:
        return Question.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise InvalidQuestions(f"{where}: not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the question"
        raise InvalidQuestions(f"{where}: {field}: {first['msg']}") from None
