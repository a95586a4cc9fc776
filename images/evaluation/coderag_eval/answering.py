"""Asks the questions that have an answer by a person, and grades what comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from coderag_eval.answers import corpus_bleu, overlap
from coderag_eval.judge import RUBRIC_HASH, Judge, NotJudged
from coderag_eval.questions import Question
from coderag_eval.service import ServiceError

Progress = Callable[[int, int], None]


class Answerer(Protocol):
    """Whatever answers a question; raises ServiceError."""

    def ask(self, question: Question) -> str:
        """Answer."""
        ...


@dataclass
class Answers:
    """The grades of every answer, what was not answered, and what the judge did not grade."""

    values: dict[str, dict[str, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    not_judged: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def measure_answers(
    answerer: Answerer, questions: Sequence[Question], judge: Judge | None, progress: Progress
) -> Answers:
    """Ask, compare with the reference, and have the answers graded where there is a judge."""
    result = Answers()
    asked = [(question, question.reference) for question in questions if question.reference is not None]
    pairs: list[tuple[str, str]] = []
    for number, (question, reference) in enumerate(asked, start=1):
        try:
            answer = answerer.ask(question)
        except ServiceError as error:
            result.failed[question.id] = str(error)
        else:
            pairs.append((answer, reference))
            result.values[question.id] = overlap(answer, reference)
            if judge is not None:
                _grade(judge, question, reference, answer, result)
        progress(number, len(asked))
    if pairs:
        result.about["corpus bleu"], result.about["bleu signature"] = corpus_bleu(*zip(*pairs, strict=True))
    if judge is not None:
        result.about["rubric"] = RUBRIC_HASH
    return result


def _grade(judge: Judge, question: Question, reference: str, answer: str, result: Answers) -> None:
    try:
        result.values[question.id] |= judge.grade(question.query, reference, answer).grades()
    except (NotJudged, ServiceError) as error:
        result.not_judged[question.id] = str(error)
