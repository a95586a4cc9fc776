"""Models in several files, `<name>-00001-of-00003.gguf`: their names, and what their headers must agree on.

As llama.cpp loads them (llama-model-loader.cpp, llama.cpp `llama_split_path`): by the first file, which has the keys.
"""

import re
from collections.abc import Sequence

from coderag_model.bounded import GgufError
from coderag_model.contents import Contents, Value, refuse_twins
from coderag_model.tensors import Tensor

MAX_PARTS = 512
FIRST = re.compile(r"(?P<name>.*)-00001-of-(?P<count>\d{5})(?P<end>\.gguf)", re.DOTALL)


def part_count(contents: Contents) -> int:
    """Return how many files the model of this header has; raises GgufError unless it is the first of them."""
    count = _number(contents.values, "split.count", 1)
    if count > MAX_PARTS:
        raise GgufError("NotGguf", f"the header claims {count} files, more than {MAX_PARTS}")
    number = _number(contents.values, "split.no", 0)
    if count > 1 and number != 0:
        raise GgufError(
            "Unsupported", f"this is file {number + 1} of {count}: name the first, -00001-of-{count:05}.gguf"
        )
    return max(count, 1)


def part_names(first: str, count: int) -> list[str]:
    """Return the names of all parts, given that of the first, which says the same count."""
    if count == 1:
        return [first]
    found = FIRST.fullmatch(first)
    if not found or int(found["count"]) != count:
        raise GgufError(
            "Unsupported",
            f"the model has {count} files, and the name of this one does not end in -00001-of-{count:05}.gguf: "
            "the others cannot be found",
        )
    return [f"{found['name']}-{number:05}-of-{count:05}{found['end']}" for number in range(1, count + 1)]


def join(parts: Sequence[Contents]) -> tuple[dict[str, Value], tuple[Tensor, ...]]:
    """Return the keys of the first part and the tensors of all; raises GgufError if the parts are not one model."""
    count = part_count(parts[0])
    if count != len(parts):
        raise GgufError("NotGguf", f"the header speaks of {count} files, there are {len(parts)}")
    for place, part in enumerate(parts[1:], start=1):
        found = _number(part.values, "split.no", -1)
        if found != place:
            raise GgufError("NotGguf", f"the file {place + 1} of {count} calls itself number {found + 1}")
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    _check_total(parts[0].values, len(tensors), count)
    refuse_twins(tensors)
    return parts[0].values, tensors


def _check_total(values: dict[str, Value], found: int, count: int) -> None:
    expected = _number(values, "split.tensors.count", found)
    if count > 1 and expected != found:
        raise GgufError("NotGguf", f"the model should have {expected} tensors, its {count} files have {found}")


def _number(values: dict[str, Value], key: str, default: int) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or value < min(default, 0):
        raise GgufError("NotGguf", f"the key {key!r} is not a whole number")
    return value
