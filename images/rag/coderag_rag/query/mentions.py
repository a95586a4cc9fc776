"""Files that a query names, with the line if it names one: `src/queue.py:12`, a frame of a trace, a bare file name."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from coderag_rag.chunking.languages import TEXT, language_of
from coderag_rag.query.manifest import Snapshot
from coderag_rag.query.weights import QueryClass

_NAME = r"[\w.@+~-]+"
# A whole query that is one path: folders and a name; a line may follow as editors and browsers write it.
_WHOLE = re.compile(rf"(?:file://)?(/?(?:{_NAME}/)*{_NAME})(?:(?::|#L)(\d+)(?:(?::|-L?)\d+)?)?:?")
_PYTHON_FRAME = re.compile(r"\bFile \"([^\"\n]+)\", line (\d+)")
_INSIDE = re.compile(rf"(?<![\w/:])(/?(?:{_NAME}/)*{_NAME}\.\w{{1,8}})(?::(\d+))?")
_MOST_MENTIONS = 20
_MOST_FILES = 10
_CODE_LIKE = frozenset({QueryClass.CODE, QueryClass.SYMBOL})


class Mention(NamedTuple):
    """A file by the path that a query gives, and the line or 0."""

    path: str
    line: int


def whole_path(text: str) -> Mention | None:
    """Return the one path that a whole query is; a dotted name whose end is no file type is none."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None or not ("/" in found[1] or ("." in found[1] and language_of(found[1]) != TEXT)):
        return None
    return Mention(found[1], int(found[2] or 0))


def mentions(text: str, kind: QueryClass) -> list[Mention]:
    """Return the files that a query names. In words only paths with a folder count; in code none do."""
    if kind in _CODE_LIKE:
        return []
    whole = whole_path(text) if kind is QueryClass.PATH else None
    if whole:
        return [whole]
    frames = [Mention(path, int(line)) for path, line in _PYTHON_FRAME.findall(text)]
    inside = [Mention(path, int(line or 0)) for path, line in _INSIDE.findall(text)]
    files = [one for one in inside if language_of(one.path) != TEXT]
    named = [one for one in files if kind is QueryClass.ERROR_TRACE or "/" in one.path]
    of_line = {one.path: one for one in (*named, *frames) if one.line}
    return list(dict.fromkeys(of_line.get(one.path, one) for one in (*frames, *named)))[:_MOST_MENTIONS]


class Named(NamedTuple):
    """A served blob that a query names, and the line or 0."""

    blob: str
    line: int


def resolve(found: Iterable[Mention], snapshot: Snapshot) -> list[Named]:
    """Return the served blobs that are meant, best first and few: the more of the two paths agrees, the better."""
    scored = [
        (-shared, order, path, Named(blob, mention.line))
        for order, mention in enumerate(found)
        for path, blob in snapshot.named(mention.path.rpartition("/")[2])
        if (shared := _agreement(mention.path, path))
    ]
    best: dict[str, Named] = {}
    for _, _, _, named in sorted(scored):
        best.setdefault(named.blob, named)
    return list(best.values())[:_MOST_FILES]


def _agreement(mentioned: str, path: str) -> int:
    """Return how many last parts two paths share, if one of them is a whole end of the other; else 0."""
    left = [part for part in mentioned.split("/") if part not in ("", ".", "..")]
    right = path.split("/")
    shorter = min(len(left), len(right))
    return shorter if shorter and left[-shorter:] == right[-shorter:] else 0
