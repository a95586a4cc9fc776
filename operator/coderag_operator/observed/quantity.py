"""Kubernetes quantities, as far as storage sizes go."""

import re
from fractions import Fraction

FACTORS: dict[str, Fraction | int] = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60, "m": Fraction(1, 1000),
}  # fmt: skip
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?)([a-zA-Z]*)")


def parse_quantity(text: str) -> Fraction:
    """Return a quantity as a number; raises ValueError for what is none."""
    match = QUANTITY.fullmatch(text)
    if match is None or match[2] not in FACTORS:
        raise ValueError(f"{text!r} is no quantity: write for example 10Gi")
    return Fraction(match[1]) * FACTORS[match[2]]
