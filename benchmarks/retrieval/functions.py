"""The functions of the set and their queries: sampled, without duplicates, the same on every machine."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from coderag_eval.mining.docstrings import DocumentedFunction, documented_functions
from coderag_eval.mining.names import holds_name, holds_word_of_name

from benchmarks.retrieval.definition import FILE, Definition
from benchmarks.retrieval.packages import ensure_wheels, sources


@dataclass(frozen=True)
class Target:
    """A function of the corpus. `asked`: its query is nobody else's, so that it can be a question."""

    package: str
    path: str
    qualified: str
    query: str
    text: str
    asked: bool

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.qualified.rpartition(".")[2]

    @property
    def free_of_name(self) -> bool:
        """Whether the query lacks the function's name as a whole."""
        return self.asked and not holds_name(self.query, self.name)

    @property
    def free_of_words(self) -> bool:
        """Whether the query lacks every word of the function's name: what the set calls name-free."""
        return self.asked and not holds_word_of_name(self.query, self.name)


def targets(part: str, definition: Definition, wheels: Path, cache: Path) -> list[Target]:
    """Return the functions of a part, read from the cache if this very definition was read before."""
    key = hashlib.sha256(FILE.read_bytes() + part.encode()).hexdigest()[:16]
    file = cache / f"functions-{part}-{key}.json"
    if not file.is_file():
        found = sample(read_all(part, definition, wheels), definition)
        file.write_text(json.dumps([asdict(target) for target in found]), encoding="utf-8")
    return [Target(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def read_all(part: str, definition: Definition, wheels: Path) -> dict[str, list[DocumentedFunction]]:
    """Return the distinct admitted functions of as many packages as it takes, by package.

    A copy of a function counts once, in the first package that has it.
    """
    seen: set[str] = set()
    found: dict[str, list[DocumentedFunction]] = {}
    for package in definition.of_part(part):
        if sum(min(definition.cap, len(functions)) for functions in found.values()) >= definition.functions[part]:
            break
        ensure_wheels([package], wheels)
        found[package.name] = list(_first_of_each(_admitted(wheels / package.file, definition), seen))
    return found


def _admitted(wheel: Path, definition: Definition) -> Iterator[DocumentedFunction]:
    for path, text in sources(wheel, definition):
        yield from documented_functions(path, text, definition.rule)


def _first_of_each(functions: Iterable[DocumentedFunction], seen: set[str]) -> Iterator[DocumentedFunction]:
    for function in functions:
        code = "".join(function.text.split())
        if code not in seen:
            seen.add(code)
            yield function


def sample(found: dict[str, list[DocumentedFunction]], definition: Definition) -> list[Target]:
    """Return at most `cap` functions of each package, in the order of their files."""
    asked = Counter(_normal(function.query) for functions in found.values() for function in functions)
    chosen: list[Target] = []
    for package, functions in found.items():
        drawn = random.Random(f"{definition.seed}:{package}").sample(functions, min(definition.cap, len(functions)))
        for one in sorted(drawn, key=lambda function: (function.path, function.line)):
            only = asked[_normal(one.query)] == 1
            chosen.append(Target(package, one.path, one.qualified, one.query, one.text, only))
    return chosen


def _normal(query: str) -> str:
    return " ".join(query.lower().split())
