"""Which files are what: tests, vendored, generated, lists of past changes; and which of a blob's places to show.

A blob at several paths is one hit, not several: the path whose words the query uses, else the plainest one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from coderag_rag.keyword import tokens
from coderag_rag.query.manifest import Place

_TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|testdata|spec|fixtures?|conftest\.py)(?:/|$)|(?:^|/)test_[^/]*$|[^/]_test\.\w+$"
    r"|[^/](?:\.test|\.spec|Test|Tests|Spec)\.\w+$"
)
_VENDORED = re.compile(r"(?:^|/)(?:vendor|vendored|third_party|thirdparty|node_modules|site-packages|external)/")
_GENERATED = re.compile(
    r"(?:^|/)(?:generated|__generated__|dist)/|(?:\.pb\.go|_pb2(?:_grpc)?\.py|\.min\.\w+|\.lock|\.g\.dart)$"
    r"|(?:^|/)(?:package-lock\.json|go\.sum|zz_generated[^/]*)$|\.generated\."
)
_CHANGELOG = re.compile(
    r"(?:^|/)(?:change(?:s|log)?|history|news|release[-_ ]?notes?|whats[-_]?new)(?:\.(?:md|rst|txt|adoc))?$"
    r"|(?:^|/)(?:change(?:s|logs?)|release[-_]?notes|releases|newsfragments|whats[-_]?new)/[^/]+\.(?:md|rst|txt|adoc)$",
    re.IGNORECASE,
)


@lru_cache(maxsize=65_536)
def is_test(path: str) -> bool:
    """Whether a path looks like a test or its data."""
    return _TEST.search(path) is not None


@lru_cache(maxsize=65_536)
def is_vendored(path: str) -> bool:
    """Whether a path looks like somebody else's code."""
    return _VENDORED.search(path) is not None


@lru_cache(maxsize=65_536)
def is_generated(path: str) -> bool:
    """Whether a path looks like the output of a tool."""
    return _GENERATED.search(path) is not None


@lru_cache(maxsize=65_536)
def is_changelog(path: str) -> bool:
    """Whether a path looks like a list of past changes, which repeats the words of everything that ever changed."""
    return _CHANGELOG.search(path) is not None


@lru_cache(maxsize=65_536)
def is_plain(path: str) -> bool:
    """Whether a path is none of these, as most are: one look instead of four."""
    return not (is_test(path) or is_vendored(path) or is_generated(path) or is_changelog(path))


@lru_cache(maxsize=65_536)
def path_words(path: str) -> frozenset[str]:
    """Return the search words of a path, its extension left out."""
    return frozenset(tokens(re.sub(r"\.\w+$", "", path)))


def best_place(places: Sequence[Place], words: frozenset[str]) -> tuple[Place, list[Place]]:
    """Return the place to show and the others. There must be one."""
    if len(places) == 1:  # by far the usual case
        return places[0], []
    ordered = sorted(places, key=lambda place: (-len(path_words(place.path) & words), *_plainness(place)))
    return ordered[0], ordered[1:]


def _plainness(place: Place) -> tuple[object, ...]:
    path = place.path
    odd = is_test(path) + is_vendored(path) + is_generated(path)
    return (odd, path.count("/"), len(path), path, place.repository, place.ref)
