"""Which names a file defines, where, and the line that introduces each."""

import re
from collections.abc import Iterator, Mapping

from tree_sitter import Node

from coderag_rag.chunking.model import Definition

_NAMES = frozenset(
    {
        "constant",
        "destructor_name",
        "field_identifier",
        "identifier",
        "namespace_identifier",
        "operator_name",
        "qualified_identifier",
        "type_identifier",
    }
)
_FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
_CONSTANT = re.compile(r"_{0,2}[A-Z][A-Za-z0-9_]*")
_QUOTES = re.compile(r"""^[rbuRBU]*["']+\s*|["']+$""")
_LONGEST_SIGNATURE = 200
_LONGEST_SUMMARY = 200


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _name_node(node: Node) -> Node | None:
    """The node that names a definition: a field in most grammars, the innermost declarator in C."""
    named = node.child_by_field_name("name") or node.child_by_field_name("left")
    if named:
        return named
    declarator = node.child_by_field_name("declarator")
    while declarator and declarator.type not in _NAMES:
        inner = declarator.child_by_field_name("declarator") or declarator.child_by_field_name("name")
        declarator = inner or next((child for child in declarator.named_children if child.type in _NAMES), None)
    return declarator


def _defines(node: Node, kind: str, name: str) -> bool:
    """Leave out what only looks like a definition: local variables, forward declarations."""
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        return (value is not None and value.type in _FUNCTION_VALUES) or _CONSTANT.fullmatch(name) is not None
    if node.type == "assignment":
        return _CONSTANT.fullmatch(name) is not None
    if node.type in ("struct_specifier", "union_specifier", "enum_specifier", "class_specifier"):
        return node.child_by_field_name("body") is not None
    return bool(name) and kind != "impl"


def _owner(node: Node) -> str:
    """The type a definition belongs to where syntax says so outside of nesting: Go receivers, Rust impl blocks."""
    if node.type == "impl_item":
        implemented = node.child_by_field_name("type")
        return re.split(r"[<\s]", _text(implemented))[0] if implemented else ""
    receiver = node.child_by_field_name("receiver")
    names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[.*?\]", "", _text(receiver))) if receiver else []
    return names[-1] if names else ""


def _signature(node: Node) -> str:
    body = node.child_by_field_name("body")
    start = node.start_byte
    head = (node.text or b"")[: body.start_byte - start if body else None].decode(errors="replace")
    text = " ".join(head.split()) if body else " ".join(head.split("\n", 1)[0].split())
    return text.rstrip(" :{=")[:_LONGEST_SIGNATURE]


def _docstring(node: Node) -> str:
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body and body.named_children else None
    if first is not None and first.type == "expression_statement" and first.named_children:
        first = first.named_children[0]
    return _QUOTES.sub("", _text(first)) if first is not None and first.type == "string" else ""


def _comment_above(node: Node) -> str:
    outer = node
    while outer.parent and outer.parent.type in ("decorated_definition", "export_statement", "template_declaration"):
        outer = outer.parent
    comments: list[str] = []
    before = outer.prev_named_sibling
    row = outer.start_point[0]
    while before is not None and "comment" in before.type and before.start_point[0] >= row - _height(before) - 1:
        comments.append(_text(before))
        row, before = before.start_point[0], before.prev_named_sibling
    return "\n".join(reversed(comments))


def _height(node: Node) -> int:
    return node.end_point[0] - node.start_point[0]


def _summary(node: Node) -> str:
    """The first line with words of the docstring or of the comment above."""
    for line in (_docstring(node) or _comment_above(node)).split("\n"):
        words = line.strip(" \t\r*/#!-;")
        if words:
            return words[:_LONGEST_SUMMARY]
    return ""


def _definition(node: Node, kind: str, scope: tuple[str, ...]) -> Definition | None:
    named = _name_node(node)
    name = _text(named).replace("::", ".") if named else ""
    if named is None or not _defines(node, kind, name):
        return None
    owner = _owner(node)
    qualified = ".".join([*scope, *([owner] if owner else []), name])
    if kind == "function" and (owner or scope) and _in_type(node):
        kind = "method"
    rows = (node.start_point[0], named.start_point[0], node.end_point[0])
    return Definition(name.rpartition(".")[2], qualified, kind, *rows, _signature(node), _summary(node))


def _in_type(node: Node) -> bool:
    parent = node.parent
    if parent is not None and parent.type == "decorated_definition":
        parent = parent.parent
    around = parent.parent if parent is not None else None
    return around is not None and ("class" in around.type or around.type in ("impl_item", "trait_item"))


def _walk(root: Node, kinds: Mapping[str, str]) -> Iterator[Definition]:
    """Every definition in order; a stack of our own, since generated code nests deeper than Python recurses."""
    stack: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while stack:
        node, scope = stack.pop()
        kind = kinds.get(node.type)
        inner = scope
        if kind:
            found = _definition(node, kind, scope)
            if found:
                yield found
                inner = tuple(found.qualified.split("."))
            elif owner := _owner(node):
                inner = (*scope, owner)
        stack.extend((child, inner) for child in reversed(node.named_children))


def find_definitions(root: Node, kinds: Mapping[str, str]) -> list[Definition]:
    """Return the definitions of a file in the order of the file."""
    return list(_walk(root, kinds)) if kinds else []
