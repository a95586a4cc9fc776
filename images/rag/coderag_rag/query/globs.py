"""Path patterns of a search: `*` stays inside a folder, `**` crosses folders, a bare name matches at any depth.

The standard library's fnmatch lets `*` cross folders, and pathlib cannot match `**` before Python 3.13.
"""

import re
from collections.abc import Callable, Sequence

_PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_SPLIT = re.compile(r"(\*\*/|\*\*|\*|\?)")


def _expression(pattern: str) -> str:
    cleaned = pattern.strip().removeprefix("./").lstrip("/")
    rooted = "/" in cleaned.rstrip("/") or pattern.strip().startswith("/")
    body = "".join(_PARTS.get(part, re.escape(part)) for part in _SPLIT.split(cleaned.rstrip("/")))
    return f"(?:{'' if rooted else '(?:.*/)?'}{body}(?:/.*)?)"


def path_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for paths: true when any pattern names the path or a folder above it."""
    if not patterns:
        return lambda _path: True
    expression = re.compile("|".join(_expression(pattern) for pattern in patterns))
    return lambda path: expression.fullmatch(path) is not None
