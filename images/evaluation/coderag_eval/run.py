"""`coderag-eval run`: ask, judge, report, hold against the gates."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from coderag_eval.answering import measure_answers
from coderag_eval.gate import Gate, hold_baseline
from coderag_eval.judge import Judge
from coderag_eval.plot import plot
from coderag_eval.questions import InvalidQuestions, Question, read_questions
from coderag_eval.report import Report, read_report
from coderag_eval.retrieval import measure
from coderag_eval.service import Service
from coderag_eval.settings import judge_endpoint, rag_endpoint
from coderag_eval.table import table

PASSED, GATE_FAILED, INCOMPLETE = 0, 1, 3
Progress = Callable[[int, int], None]


def run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Measure and return the exit code. Everything that can be wrong beforehand is refused before the first request."""
    gates = [Gate.parse(text) for text in options.gate]
    baseline = read_report(options.baseline) if options.baseline else None
    questions = _chosen(read_questions(options.questions), options.set, options.repository)
    report = _measured(questions, options, environ)
    _write(options.report, report.to_json())  # kept even where a gate has nothing to be held against
    report.gates += [gate.hold(report) for gate in gates] if report.values else []
    if baseline is not None and report.values:
        report.gates += hold_baseline(report, baseline, options.max_drop)
    _deliver(report, options)
    if report.failed or not report.values:
        return INCOMPLETE
    return PASSED if all(gate["passed"] for gate in report.gates) else GATE_FAILED


def _chosen(questions: Sequence[Question], sets: Sequence[str], repositories: Sequence[str]) -> list[Question]:
    chosen = [question for question in questions if not sets or question.set in sets]
    if not chosen:
        known = ", ".join(sorted({question.set for question in questions}))
        raise InvalidQuestions(f"no question is in {', '.join(sets)}: the files have {known}")
    among = {"repositories": tuple(repositories)} if repositories else {}
    return [question.model_copy(update=among) for question in chosen]


def _measured(questions: Sequence[Question], options: argparse.Namespace, environ: Mapping[str, str]) -> Report:
    rag, judged = rag_endpoint(environ), judge_endpoint(environ)
    report = Report(datetime.now(UTC).isoformat(timespec="seconds"), about={"rag": rag.shown})
    for question in questions:
        report.sets.setdefault(question.set, []).append(question.id)
    with ExitStack() as stack:
        service = stack.enter_context(Service(rag.url, rag.key))
        _search(report, service, questions, options)
        if not options.no_answers and any(question.reference for question in questions):
            judge = Judge(stack.enter_context(Service(judged[0].url, judged[0].key)), judged[1]) if judged else None
            report.about |= {"judge": judged[1]} if judged else {}
            _ask(report, service, questions, judge, options)
    return report


def _search(report: Report, service: Service, questions: Sequence[Question], options: argparse.Namespace) -> None:
    found = measure(service, questions, options.any_commit, _progress("searched", options.quiet))
    report.values |= found.values
    report.failed |= found.failed
    report.left_out |= dict.fromkeys(found.other_commit, "the index serves another commit than the question is for")
    report.about |= {"ranking": sorted(found.rankings), "degraded": sorted(found.degraded)}
    report.about |= {"any commit": True} if options.any_commit else {}


def _ask(
    report: Report, service: Service, questions: Sequence[Question], judge: Judge | None, options: argparse.Namespace
) -> None:
    found = measure_answers(service, questions, judge, _progress("answered", options.quiet))
    for question, values in found.values.items():
        report.values[question] = report.values.get(question, {}) | values
    report.failed |= found.failed | found.not_judged
    report.about |= found.about


def _deliver(report: Report, options: argparse.Namespace) -> None:
    _write(options.report, report.to_json())
    _write(options.plot, plot(report))
    _write(options.message, report.message())
    sys.stdout.write(table(report))


def _write(file: Path | None, text: str) -> None:
    if file is not None:
        file.write_text(text, encoding="utf-8")


def _progress(what: str, quiet: bool) -> Progress:
    def show(done: int, total: int) -> None:
        if not quiet and (done == total or done % 25 == 0):
            sys.stderr.write(f"{what} {done} of {total}\n")
            sys.stderr.flush()

    return show
