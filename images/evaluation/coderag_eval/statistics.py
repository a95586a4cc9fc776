"""Intervals and a paired test. Questions are drawn again: the figures tell how far other questions could differ.

Resampling is seeded, so that a report can be made again bit by bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
_SEED = 20_251_122
_CHUNK = 250  # resamples held in memory at once

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Ours less theirs over the same questions, and how likely so large a difference is by chance."""

    difference: Interval
    p: float
    questions: int


def mean(values: Sequence[float]) -> Interval:
    """Return the mean of the questions' values; ValueError when there are none."""
    data = _data(values)
    return _interval(float(data.mean()), _resampled(data)[0])


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    """Compare two searchers on the same questions, in the same order: paired bootstrap and sign-flip test."""
    differences = _data(ours) - _data(theirs)
    interval = _interval(float(differences.mean()), _resampled(differences)[0])
    return Comparison(interval, _sign_flip(differences), len(differences))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Return the ratio of the means over the same questions; infinite where theirs found nothing."""
    first, second = _data(ours), _data(theirs)
    above, below = _resampled(first, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.nan_to_num(above / below, nan=1.0, posinf=np.inf)
        return _interval(float(np.divide(first.mean(), second.mean())), drawn)


def _data(values: Sequence[float]) -> Floats:
    data = np.asarray(values, np.float64)
    if not data.size:
        raise ValueError("no question was judged: there is nothing to average")
    return data


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return Interval(value, float(low), float(high))


def _resampled(*columns: Floats) -> list[Floats]:
    """Return the means of the same random draws of every column."""
    random = np.random.default_rng(_SEED)
    size = len(columns[0])
    means: list[list[Floats]] = [[] for _ in columns]
    for _ in range(RESAMPLES // _CHUNK):
        drawn = random.integers(0, size, (_CHUNK, size))
        for column, collected in zip(columns, means, strict=True):
            collected.append(column[drawn].mean(axis=1))
    return [np.concatenate(collected) for collected in means]


def _sign_flip(differences: Floats) -> float:
    """Return the share of random signs that make a difference of the mean at least as large."""
    random = np.random.default_rng(_SEED)
    seen = abs(float(differences.mean())) - 1e-12
    extreme = 0
    for _ in range(RESAMPLES // _CHUNK):
        signs = random.choice([-1.0, 1.0], (_CHUNK, len(differences)))
        extreme += int((np.abs((signs * differences).mean(axis=1)) >= seen).sum())
    return (extreme + 1) / (RESAMPLES + 1)
