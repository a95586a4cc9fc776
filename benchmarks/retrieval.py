"""How well the search finds what it is asked for, beside what one would build first, in the same run.

Three sets: docstring to function (packages and rules in retrieval/definition.toml), commit to files (histories in
retrieval/histories.toml, asked of the state before each commit), and Korean questions (about this repository, and about
two of the histories). Ours is
the search service's own code over an index in memory, exact where Qdrant is exact, with the image's int8 model.

    python benchmarks/retrieval.py [--set SET]... [--part tuning|test] [--histories FOLDER] [--record FILE]

Wheels and vectors are kept in build/retrieval: the first run embeds about 40,000 texts (20 minutes on two free
cores), later ones only what has changed. A baseline or history that is not there is said to be missing.
Exit 0: every goal was reached; 1: not; 2: nothing could be measured.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / part) for part in (".", "images/embedding", "images/rag", "images/evaluation")]

from coderag_eval.statistics import compare, ratio  # noqa: E402

from benchmarks.retrieval import docstrings, histories, korean  # noqa: E402
from benchmarks.retrieval.tables import by_group, column, summary  # noqa: E402
from benchmarks.retrieval.vectors import Vectors  # noqa: E402

BUILD = ROOT / "build" / "retrieval"
SETS = ("docstrings", "commits", "korean")
# nDCG@10 of ours by that of the baseline, and the lower bound of the ratio's 95 % interval.
GOALS = {docstrings.DENSE: (1.25, 1.15), docstrings.STANDARD: (1.7, 1.5)}

Verdict = tuple[str, bool]


def main(arguments: list[str] | None = None) -> int:
    """Print the tables and return the exit code."""
    options = _options(arguments)
    vectors = Vectors(BUILD)
    print(f"{_machine()}\n{vectors.name}\n", flush=True)
    record: dict[str, object] = {}
    verdicts: list[Verdict] = []
    chosen = options.set or SETS
    if "docstrings" in chosen:
        verdicts += _docstrings(options.part, vectors, record)
    if "commits" in chosen:
        verdicts += _commits(options.histories, vectors, record)
    if "korean" in chosen:
        _korean(options.histories or BUILD / "histories", vectors, record)
    if options.record:
        options.record.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    for text, reached in verdicts:
        print(f"{'reached' if reached else 'MISSED'}: {text}")
    if not record:
        return 2
    return 0 if all(reached for _, reached in verdicts) else 1


def _docstrings(part: str, vectors: Vectors, record: dict[str, object]) -> list[Verdict]:
    result = docstrings.run(part, BUILD, vectors, _say)
    record["docstrings"] = result.figures
    packages = len({target.package for target in result.targets})
    print(f"\n### Docstring to function, {part}: {len(result.targets)} functions of {packages} packages")
    for label, rule in docstrings.RULES.items():
        questions = result.questions(rule)
        print(f"\n{label}, {len(questions)} questions\n\n{summary(result.figures, questions, docstrings.OURS)}")
    questions = result.questions(docstrings.RULES[docstrings.NAME_FREE])
    print(
        f"\nnDCG@10 by package, {docstrings.NAME_FREE}\n\n{by_group(result.figures, result.by_package(questions))}\n",
        flush=True,
    )
    return [_goal(result.figures, questions, name, *bounds) for name, bounds in GOALS.items()]


def _goal(figures: docstrings.Figures, questions: list[str], name: str, times: float, lowest: float) -> Verdict:
    found = ratio(column(figures[docstrings.OURS], questions), column(figures[name], questions))
    text = f"{times:g} x {name}, lower bound above {lowest:g}: {found.value:.3f}, lower bound {found.low:.3f}"
    return text, found.value >= times and found.low > lowest


def _commits(folder: Path | None, vectors: Vectors, record: dict[str, object]) -> list[Verdict]:
    figures: docstrings.Figures = {}
    groups: dict[str, list[str]] = {}
    for history in histories.read_histories():
        clone = ROOT if history.name == "coderag" else (folder or BUILD / "histories") / history.name
        if not clone.is_dir():
            _say(f"{history.name} is left out: put a clone of {history.repository} at {clone.name} in --histories")
            continue
        result = histories.run(history, clone, vectors, _say)
        groups[history.name] = [question.id for question in result.questions]
        for name, values in result.figures.items():
            figures.setdefault(name, {}).update(values)
    record["commits"] = figures
    everything = [question for questions in groups.values() for question in questions]
    if not everything:
        return []
    print(f"\n### Commit to files, {len(everything)} commits of {len(groups)} histories\n")
    print(f"{summary(figures, everything, histories.OURS)}\n\n{by_group(figures, groups)}\n", flush=True)
    gain = compare(column(figures[histories.OURS], everything), column(figures[histories.CODE], everything)).difference
    text = f"better than {histories.CODE}, lower bound above 0: {gain.value:+.3f}, lower bound {gain.low:+.3f}"
    return [(text, gain.low > 0)]


def _korean(clones: Path, vectors: Vectors, record: dict[str, object]) -> None:
    lexicon = korean.make_lexicon(BUILD)
    record["korean"] = found = korean.run(ROOT, vectors, lexicon, _say)
    print(f"\n### Korean, this repository\n\n{summary(found, list(found[korean.OURS]), korean.OURS)}\n", flush=True)
    if chosen := korean.run_choosing(clones, vectors, lexicon, _say):
        record["korean, choosing"] = chosen
        table = summary(chosen, list(chosen[korean.OURS]), korean.OURS)
        print(f"\n### Korean, what the lexicon's numbers were chosen on\n\n{table}\n", flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--set", action="append", choices=SETS, help="default: all")
    parser.add_argument("--part", choices=("tuning", "test"), default="test", help="which packages (default test)")
    parser.add_argument("--histories", type=Path, help="a folder with a clone of each history, by its name")
    parser.add_argument("--record", type=Path, help="write the figures of every question as JSON")
    return parser.parse_args(arguments)


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    when = datetime.now(UTC).date().isoformat()
    return f"{os.cpu_count()} x {model}, load {os.getloadavg()[0]:.1f}, {when}, commit {commit.stdout.strip()}"


_say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731


if __name__ == "__main__":
    sys.exit(main())
