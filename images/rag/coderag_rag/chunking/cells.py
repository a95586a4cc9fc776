"""Where the cells of a notebook stand in its file: which rows hold source, and what they say.

A notebook is JSON with one string for each line of source, so each of its lines is a row of the file, and what is known
about a line is known about that row.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from coderag_rag.chunking.causes import PARSE_ERRORS, Note
from coderag_rag.chunking.model import Span
from coderag_rag.chunking.tree import Unsplittable, parse

_ROWS_SHARED = Note(PARSE_ERRORS, "not a notebook with one line of source a row: chunked by lines")


@dataclass(frozen=True)
class Cell:
    """One cell: its rows, the rows of its source, and the source by row."""

    kind: str
    rows: Span
    source: Span
    says: dict[int, str] = field(default_factory=dict)


def _string(node: Node) -> str:
    """The value of a JSON string; raises Unsplittable for one that is none."""
    try:
        return str(json.loads((node.text or b"").decode(), strict=False))
    except ValueError as error:
        raise Unsplittable(_ROWS_SHARED) from error


def _members(node: Node) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for pair in node.named_children:
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is not None and value is not None:
            found[_string(key)] = value
    return found


def _rows(node: Node) -> Span:
    return Span(node.start_point[0], node.end_point[0] + 1)


def _strings(node: Node) -> list[Node]:
    return [one for one in (node.named_children if node.type == "array" else [node]) if one.type == "string"]


def _cell(node: Node) -> Cell:
    members = _members(node)
    kind, source = members.get("cell_type"), members.get("source")
    if kind is None or source is None:
        return Cell("", _rows(node), Span(node.start_point[0], node.start_point[0]))
    says: dict[int, str] = {}
    for line in _strings(source):
        row = line.start_point[0]
        says[row] = says.get(row, "") + _string(line)
    return Cell(_string(kind), _rows(node), _rows(source), says)


def _checked(cells: list[Cell]) -> Iterator[Cell]:
    """Cells that share a row cannot be cited apart."""
    reached = -1
    for cell in cells:
        if cell.rows.start <= reached:
            raise Unsplittable(_ROWS_SHARED)
        reached = cell.rows.stop - 1
        yield cell


def find_cells(text: str) -> tuple[list[Cell], str]:
    """Return the cells in order and the language of their code; raises Unsplittable for what is no such notebook."""
    root, _ = parse(text, "json")
    top = _members(root.named_children[0]) if root.named_children else {}
    listed = top.get("cells")
    if listed is None or listed.type != "array":
        raise Unsplittable(_ROWS_SHARED)
    cells = list(_checked([_cell(node) for node in listed.named_children if node.type == "object"]))
    return cells, _language(top.get("metadata"))


def _language(metadata: Node | None) -> str:
    """What the kernel runs; Python where nothing is said."""
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        about = _members(metadata).get(key) if metadata is not None else None
        value = _members(about).get(name) if about is not None else None
        if value is not None and value.type == "string":
            return _string(value).lower()
    return "python"
