"""When requests arrive. Decided before the first is sent and never by an answer: that is what makes a load open.

A generator that waits for answers sends less to a server that is slow, and so leaves out the very requests that would
have waited longest (coordinated omission).
"""

import random
from collections.abc import Iterator


def constant(rate: float, seconds: float) -> Iterator[float]:
    """Yield the moments of evenly spaced arrivals, in seconds from the start; `rate` in requests a second."""
    return (number / rate for number in range(round(rate * seconds)))


def poisson(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Yield as many arrivals as `constant`, with the gaps of independent callers; the same for the same seed.

    The number is fixed and not drawn: given their number, the arrivals of a Poisson process are independent uniform
    moments. So two runs that are compared get exactly as many requests.
    """
    draw = random.Random(seed)
    return iter(sorted(draw.uniform(0, seconds) for _ in range(round(rate * seconds))))
