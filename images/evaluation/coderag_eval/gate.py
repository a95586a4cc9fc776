"""The gate for CI: floors under figures, and no proven drop against an earlier report.

A drop counts when even the upper end of its 95 % interval is below what is allowed: noise of few questions must not
fail a build, and a large drop of many must.
"""

import re
from dataclasses import dataclass

from coderag_eval.metrics import NDCG
from coderag_eval.report import Report
from coderag_eval.statistics import compare

_FORM = re.compile(r"(?:(?P<set>[^:<>=]+):)?(?P<measure>[a-z0-9@-]+)>=(?P<floor>\d+(?:\.\d+)?)")


class InvalidGate(Exception):  # noqa: N818 - reads as the state it names
    """A gate cannot be read, or there is nothing that it could be held against."""


@dataclass(frozen=True)
class Gate:
    """A floor under the mean of a measure, in one set or in each."""

    text: str
    set: str | None
    measure: str
    floor: float

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """Read `ndcg@10>=0.5` or `korean:ndcg@10>=0.4`; raises InvalidGate."""
        found = _FORM.fullmatch(text.replace(" ", "").lower())
        if found is None:
            raise InvalidGate(f"{text!r} is no gate: write MEASURE>=NUMBER or SET:MEASURE>=NUMBER, e.g. ndcg@10>=0.5")
        return cls(text, found["set"], found["measure"], float(found["floor"]))

    def hold(self, report: Report) -> dict[str, object]:
        """Return the verdict; raises InvalidGate when no judged question has the measure."""
        means = {
            name: row[self.measure].value
            for name, row in report.figures().items()
            if self.measure in row and self.set in (None, name.replace(" ", "").lower())
        }
        if not means:
            raise InvalidGate(f"{self.text!r} has nothing to be held against: no judged question has this measure")
        lowest = min(means, key=lambda name: means[name])
        verdict = f"{lowest}: {means[lowest]:.3f}"
        return {"gate": self.text, "passed": means[lowest] >= self.floor, "detail": verdict}


def hold_baseline(report: Report, baseline: Report, max_drop: float, measure: str = NDCG) -> list[dict[str, object]]:
    """Compare each set with an earlier report on the questions that both judged, note it, and return the verdicts."""
    verdicts = []
    for name in report.sets:
        before, now = baseline.column(name, measure), report.column(name, measure)
        both = [question for question in now if question in before]
        if both:
            found = compare([now[one] for one in both], [before[one] for one in both])
            change = found.difference
            report.comparison[name] = {
                "measure": measure, "change": change.value, "low": change.low, "high": change.high,
                "p": found.p, "questions": found.questions,
            }  # fmt: skip
            detail = f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}] on {len(both)} questions"
            gate = f"{name}: {measure} drops by no more than {max_drop:g}"
            verdicts.append({"gate": gate, "passed": change.high >= -max_drop, "detail": detail})
    if not verdicts:
        raise InvalidGate("the baseline shares no judged question with this run: use a report of the same questions")
    return verdicts
