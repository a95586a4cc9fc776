"""Asks every question and judges what comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from coderag_eval.matching import documents, right
from coderag_eval.metrics import DEPTH, Values, per_question
from coderag_eval.questions import Question
from coderag_eval.service import Found, ServiceError

Progress = Callable[[int, int], None]


class Searcher(Protocol):
    """Whatever finds hits for a question; raises ServiceError."""

    def search(self, question: Question, limit: int) -> Found:
        """Search."""
        ...


@dataclass
class Retrieval:
    """The figures of every question that was judged, and what became of the others."""

    values: dict[str, Values] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    other_commit: list[str] = field(default_factory=list)
    degraded: set[str] = field(default_factory=set)
    rankings: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)


def measure(searcher: Searcher, questions: Sequence[Question], any_commit: bool, progress: Progress) -> Retrieval:
    """Ask the questions that expect places.

    A mined question belongs to one commit: asked of another, the answer may already be in the code. Such a question
    is left out and counted, unless `any_commit`.
    """
    result = Retrieval()
    asked = [question for question in questions if question.expected]
    found: dict[str, list[str]] = {}
    for number, question in enumerate(asked, start=1):
        try:
            answer = searcher.search(question, DEPTH)
        except ServiceError as error:
            result.failed[question.id] = str(error)
        else:
            _note(result, answer)
            if any_commit or question.commit is None or question.commit in answer.commits:
                found[question.id] = documents(question, answer.hits)
            else:
                result.other_commit.append(question.id)
        progress(number, len(asked))
    result.values = per_question({one.id: right(one) for one in asked if one.id in found}, found)
    return result


def _note(result: Retrieval, answer: Found) -> None:
    result.degraded.update(answer.degraded)
    result.rankings.add(answer.ranking)
    result.seconds.append(answer.seconds)
