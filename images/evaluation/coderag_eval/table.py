"""The report as text: a row per set, a column per measure, intervals in brackets."""

from collections import Counter

from tabulate import tabulate

from coderag_eval.report import Report


def table(report: Report) -> str:
    """Return the tables of a report."""
    measures = report.measures
    rows = [
        [name, _judged(report, name), *(_cell(row[one]) if one in row else "" for one in measures)]
        for name, row in report.figures().items()
    ]
    parts = [tabulate(rows, ["set", "questions", *measures], tablefmt="github", disable_numparse=True)]
    parts += [_comparison(report)] if report.comparison else []
    parts += [f"{'passed' if gate['passed'] else 'FAILED'}: {gate['gate']} ({gate['detail']})" for gate in report.gates]
    parts += _without_figures("not answered", report.failed) + _without_figures("left out", report.left_out)
    return "\n\n".join(parts) + "\n"


def _judged(report: Report, name: str) -> str:
    return str(sum(question in report.values for question in report.sets[name]))


def _cell(interval: object) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"  # type: ignore[attr-defined]


def _comparison(report: Report) -> str:
    rows = [
        [name, row["measure"], f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]", f"{row['p']:.4f}"]
        for name, row in report.comparison.items()
    ]
    return tabulate(rows, ["set", "measure", "against the baseline", "p"], tablefmt="github", disable_numparse=True)


def _without_figures(what: str, questions: dict[str, str]) -> list[str]:
    reasons = Counter(questions.values())
    return [f"{what}: {count} questions: {reason}" for reason, count in reasons.most_common(5)]
