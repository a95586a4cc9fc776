"""What a run found, as JSON: every figure with its interval, and every question's values.

With them a later run can be compared question by question.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coderag_eval.statistics import Interval, mean

FORMAT = "coderag-eval/1"
_MESSAGE_BYTES = 4096  # Kubernetes cuts termination messages there


class InvalidReport(Exception):  # noqa: N818 - reads as the state it names
    """A file is not a report of this program."""


@dataclass
class Report:
    """The figures of one run. `sets` names the questions of each set, `values` their figures by measure."""

    started: str
    sets: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    comparison: dict[str, dict[str, Any]] = field(default_factory=dict)
    gates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def measures(self) -> list[str]:
        """The measures that any question has, in the order of their first use."""
        return list(dict.fromkeys(name for values in self.values.values() for name in values))

    def column(self, name: str, measure: str) -> dict[str, float]:
        """Return the values of a set by question; of questions that were not judged there is none."""
        known = {one: self.values.get(one, {}).get(measure) for one in self.sets.get(name, ())}
        return {one: value for one, value in known.items() if value is not None}

    def figures(self) -> dict[str, dict[str, Interval]]:
        """Return set -> measure -> mean with its interval."""
        tables = {name: {one: self.column(name, one) for one in self.measures} for name in self.sets}
        return {
            name: {measure: mean(list(values.values())) for measure, values in table.items() if values}
            for name, table in tables.items()
        }

    def to_json(self) -> str:
        """Return the whole report."""
        figures = {
            name: {measure: asdict(interval) for measure, interval in row.items()}
            for name, row in self.figures().items()
        }
        whole = {"format": FORMAT, "figures": figures} | asdict(self)
        return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"

    def message(self) -> str:
        """Return the figures alone, short enough for a termination message; what does not fit is said to be missing."""
        figures = {
            name: {measure: _rounded(interval) for measure, interval in row.items()}
            for name, row in self.figures().items()
        }
        counts = {"questions": len(self.values), "failed": len(self.failed), "leftOut": len(self.left_out)}
        gates = [{"gate": gate["gate"], "passed": gate["passed"]} for gate in self.gates]
        body = {"ok": all(gate["passed"] for gate in gates) and not self.failed, **counts, "gates": gates}
        return _fitting(body, figures)


def read_report(file: Path) -> Report:
    """Return a report that was written earlier; raises InvalidReport."""
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
        if whole["format"] != FORMAT:
            raise InvalidReport(f"{file} has format {whole['format']!r}, not {FORMAT!r}: make it again")
        return Report(**{name: whole[name] for name in Report.__dataclass_fields__})
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidReport(f"{file} is no report of coderag-eval: {type(error).__name__}: {error}") from None


def _rounded(interval: Interval) -> list[float]:
    return [round(number, 4) for number in (interval.value, interval.low, interval.high)]


def _fitting(body: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    names: Sequence[str] = list(figures)
    for kept in range(len(names), -1, -1):
        chosen = {name: figures[name] for name in names[:kept]}
        cut = {"setsLeftOut": len(names) - kept} if kept < len(names) else {}
        text = json.dumps({**body, **cut, "figures": chosen}, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) <= _MESSAGE_BYTES:
            return text
    return json.dumps({"ok": body["ok"], "questions": body["questions"]})
