"""Whether a rebuilt index may replace the one that is searched: pure arithmetic on rankings.

Both indexes answer the same mined queries. The new one is refused only when it is worse for sure: when even the upper
end of the 95 % interval of the change in nDCG@10 (paired bootstrap) lies below -0.02.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH = 400
TOLERATED = -0.02
DEPTH = 10
_RESAMPLES = 2_000
_SEED = 20_240_229
_SELF_FOUND = 0.8


@dataclass(frozen=True)
class Verdict:
    """What the gate says and why; numbers are None where there were too few queries to compare."""

    passed: bool
    reason: str
    queries: int
    ndcg_change: float | None = None
    upper95: float | None = None


def ndcg(ranked: Sequence[bool], relevant: int) -> float:
    """Return nDCG@10 of one ranking, given how many relevant documents there are."""
    gain = math.fsum(1 / math.log2(place + 2) for place, hit in enumerate(ranked[:DEPTH]) if hit)
    ideal = math.fsum(1 / math.log2(place + 2) for place in range(min(relevant, DEPTH)))
    return gain / ideal if ideal else 0.0


def upper_bound(changes: Sequence[float]) -> float:
    """Return the upper end of the 95 % bootstrap interval of the mean. The same changes give the same bound."""
    values = np.asarray(changes, dtype=float)
    draw = np.random.default_rng(_SEED)
    means = [values[draw.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)]
    return float(np.quantile(means, 0.975))


def judge(before: Sequence[float], after: Sequence[float]) -> Verdict:
    """Compare the scores of both indexes, query by query."""
    changes = [new - old for old, new in zip(before, after, strict=True)]
    change, upper = math.fsum(changes) / len(changes), upper_bound(changes)
    passed = upper >= TOLERATED
    found = f"nDCG@10 changes by {change:+.3f}, at most {upper:+.3f}, over {len(changes)} mined queries"
    return Verdict(passed, found if passed else f"worse for sure: {found}", len(changes), change, upper)


def judge_alone(found: Collection[bool], queries: int, why: str) -> Verdict:
    """Judge by whether chunks find themselves, where a comparison is not possible."""
    share = sum(found) / len(found) if found else 1.0
    passed = share >= _SELF_FOUND
    told = f"{why}; complete, and {share:.0%} of {len(found)} chunks find themselves"
    return Verdict(passed, told if passed else f"{told}, which is too few", queries)
