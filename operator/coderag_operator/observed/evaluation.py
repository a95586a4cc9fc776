"""What an evaluation found: the report in its pod's termination message, bounded, and kept when the pod is gone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod
from coderag_operator.observed.entries import number_of, objects_of, part_of, read_entry, text_of
from coderag_operator.observed.index import figure

EVALUATION = "evaluation"
MOST_FIGURES, MOST_GATES, NAME_LIMIT, MESSAGE_LIMIT = 32, 16, 64, 300


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean of a measure over a set of questions, with the bounds of its 95 % interval."""

    set: str
    measure: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The last run. `message` is why there is no report; `finished_at` is in seconds of the epoch."""

    pod_uid: str
    finished_at: int
    passed: bool = False
    questions: int = 0
    failed: int = 0
    gates: tuple[tuple[str, bool], ...] = ()
    figures: tuple[Figure, ...] = ()
    message: str = ""


def learn_evaluation(known: Evaluation | None, pods: Iterable[Child]) -> Evaluation | None:
    """Return what the newest pod that has ended found; without one, what is known."""
    ended = [
        (pod.details.turned, pod.uid, pod.details.endings[0])
        for pod in pods
        if pod.component == EVALUATION and isinstance(pod.details, Pod) and pod.details.endings
    ]
    if not ended:
        return known
    turned, uid, text = max(ended)
    if known and (known.pod_uid == uid or known.finished_at > turned):
        return known
    report = read_entry(text)
    if report is None:
        return Evaluation(uid, turned, message=text.strip()[-MESSAGE_LIMIT:] or "it ended without a report")
    return read_report(uid, turned, report)


def read_report(uid: str, finished_at: int, report: Mapping[str, Any]) -> Evaluation:
    """Return the run that a report tells of."""
    gates = ((text_of(one, "gate")[:NAME_LIMIT], one.get("passed") is True) for one in objects_of(report.get("gates")))
    figures = [
        Figure(name[:NAME_LIMIT], measure[:NAME_LIMIT], *numbers)
        for name, row in part_of(report, "figures").items()
        for measure, values in (row.items() if isinstance(row, dict) else ())
        if (numbers := read_interval(values))
    ]
    return Evaluation(
        uid, finished_at, report.get("ok") is True, number_of(report, "questions"), number_of(report, "failed"),
        tuple(gates)[:MOST_GATES], tuple(figures[:MOST_FIGURES]),
    )  # fmt: skip


def read_interval(values: object) -> tuple[float, float, float] | None:
    """Return mean, low and high, None where they are none."""
    numbers = [figure(one) for one in values] if isinstance(values, list) else []
    value, low, high = numbers if len(numbers) == 3 else (None, None, None)
    return None if value is None or low is None or high is None else (value, low, high)


def read_fact(entry: Mapping[str, Any]) -> Evaluation | None:
    """Return the run that a fact holds, None where it holds none."""
    uid, finished = text_of(entry, "podUid"), number_of(entry, "finishedAt")
    if not uid:
        return None
    if message := text_of(entry, "message"):
        return Evaluation(uid, finished, message=message)
    return read_report(uid, finished, part_of(entry, "report"))


def write_fact(one: Evaluation) -> dict[str, Any]:
    """Return the entry of the fact."""
    known = {"podUid": one.pod_uid, "finishedAt": one.finished_at}
    if one.message:
        return {**known, "message": one.message}
    figures: dict[str, dict[str, list[float]]] = {}
    for each in one.figures:
        figures.setdefault(each.set, {})[each.measure] = [each.value, each.low, each.high]
    gates = [{"gate": gate, "passed": passed} for gate, passed in one.gates]
    report = {"ok": one.passed, "questions": one.questions, "failed": one.failed, "gates": gates, "figures": figures}
    return {**known, "report": report}
