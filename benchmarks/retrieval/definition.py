"""The docstring-to-function set as `definition.toml` fixes it: which packages, which functions, which queries.

The file was committed before anything was tuned on the packages it calls `tuning`, or looked at on those it calls
`test`. Whoever changes it makes another set, whose figures cannot be compared with earlier ones.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coderag_eval.mining.docstrings import Rule

FILE = Path(__file__).with_name("definition.toml")


@dataclass(frozen=True)
class Package:
    """A wheel of pure Python, as it was published."""

    name: str
    version: str
    file: str
    sha256: str
    part: str


@dataclass(frozen=True)
class Definition:
    """The whole file."""

    seed: str
    cap: int
    functions: dict[str, int]
    left_out: str
    rule: Rule
    packages: tuple[Package, ...]

    @cached_property
    def _left_out(self) -> re.Pattern[str]:
        return re.compile(self.left_out)

    def admits(self, path: str) -> bool:
        """Whether a file of a wheel is looked at."""
        return path.endswith(".py") and not self._left_out.search(path)

    def of_part(self, part: str) -> Sequence[Package]:
        """Return the packages of `tuning` or `test`."""
        return [package for package in self.packages if package.part == part]


def read_definition(file: Path = FILE) -> Definition:
    """Return what the file fixes; KeyError or TypeError names what is missing or unknown in it."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    packages = tuple(Package(**row) for row in table["package"])
    return Definition(**table["set"], rule=Rule(**table["rule"]), packages=packages)
