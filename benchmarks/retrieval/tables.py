"""The figures as text: every searcher with its measures, ratios with their lower bounds, packages one by one."""

from collections.abc import Mapping, Sequence

from coderag_eval.metrics import MEASURES, NDCG, Values
from coderag_eval.statistics import compare, mean, ratio
from tabulate import tabulate

Figures = Mapping[str, Mapping[str, Values]]


def column(figures: Mapping[str, Values], questions: Sequence[str], measure: str = NDCG) -> list[float]:
    """Return one measure of the questions, in their order."""
    return [figures[question][measure] for question in questions]


def summary(figures: Figures, questions: Sequence[str], first: str) -> str:
    """Return a row for each searcher: its means, and how the first one compares with it on the same questions."""
    rows = []
    mine = column(figures[first], questions)
    for name, of_questions in figures.items():
        means = [mean(column(of_questions, questions, measure)) for measure in MEASURES]
        cells = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in means]
        rows.append([name, *cells, *(_against(mine, column(of_questions, questions)) if name != first else ("", ""))])
    headers = ["searcher", *MEASURES, f"{first} / it, 95 %", f"{first} - it, 95 %, p"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def by_group(figures: Figures, groups: Mapping[str, Sequence[str]]) -> str:
    """Return nDCG@10 of every searcher for each group of questions."""
    rows = [
        [group, len(questions), *(f"{mean_of(figures[name], questions):.3f}" for name in figures)]
        for group, questions in groups.items()
        if questions
    ]
    return tabulate(rows, ["", "questions", *figures], tablefmt="github", disable_numparse=True)


def mean_of(figures: Mapping[str, Values], questions: Sequence[str]) -> float:
    """Return the mean nDCG@10."""
    values = column(figures, questions)
    return sum(values) / len(values)


def _against(mine: Sequence[float], theirs: Sequence[float]) -> tuple[str, str]:
    times, less = ratio(mine, theirs), compare(mine, theirs)
    change = less.difference
    return (
        f"{times.value:.3f} [{times.low:.3f}, {times.high:.3f}]",
        f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}], {less.p:.4f}",
    )
