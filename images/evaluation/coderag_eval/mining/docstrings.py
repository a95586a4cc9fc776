"""Python functions and what their docstrings say they do: the first sentence asks for the function without it.

The function is cut out of its file with the class lines around it, so that it still reads as a method. Nothing of the
docstring stays in it: an index of these texts cannot find them by the words of the question itself.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"(?<=[a-z0-9\)\]`'\"])[.!?](?:\s|$)")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n|\n[ \t]*(?=[:@>]|-{3}|={3})")
_LEADING_MARKUP = re.compile(r"^[\s*#:>-]+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Rule:
    """Which functions are asked for. Lines are those of the function without its docstring, blank ones aside."""

    fewest_words: int = 4
    longest_query: int = 300
    fewest_lines: int = 4
    most_lines: int = 120


@dataclass(frozen=True)
class DocumentedFunction:
    """A function without its docstring, and the sentence that described it. `line` is that of the original file."""

    path: str
    line: int
    qualified: str
    query: str
    text: str

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.qualified.rpartition(".")[2]


def documented_functions(path: str, source: str, rule: Rule = Rule()) -> list[DocumentedFunction]:
    """Return the functions of a Python file that the rule admits; a file that Python cannot read has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in other people's strings
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    lines = source.split("\n")
    found = (_documented(path, lines, owners, node, rule) for owners, node in _functions(tree, ()))
    return [function for function in found if function]


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring in one line, without what marks it up at its beginning."""
    paragraph = _PARAGRAPH_END.split(docstring.strip(), maxsplit=1)[0]
    text = _LEADING_MARKUP.sub("", " ".join(paragraph.split()))
    return _SENTENCE_END.split(text, maxsplit=1)[0].strip(" .:;,!?")


def _functions(node: ast.AST, owners: tuple[ast.ClassDef, ...]) -> Iterator[tuple[tuple[ast.ClassDef, ...], Function]]:
    """Yield functions of the module and of classes, not those inside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield owners, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*owners, child))
        elif isinstance(child, ast.If | ast.Try):
            yield from _functions(child, owners)


def _documented(
    path: str, lines: list[str], owners: tuple[ast.ClassDef, ...], node: Function, rule: Rule
) -> DocumentedFunction | None:
    query = first_sentence(ast.get_docstring(node) or "")
    if len(query.split()) < rule.fewest_words or len(query) > rule.longest_query or not query.isascii():
        return None
    body = _without_docstring(lines, node)
    if not rule.fewest_lines <= sum(map(bool, map(str.strip, body))) <= rule.most_lines:
        return None
    text = "\n".join([*(lines[owner.lineno - 1] for owner in owners), *body]) + "\n"
    qualified = ".".join([*(owner.name for owner in owners), node.name])
    return DocumentedFunction(path, node.lineno, qualified, query, text)


def _without_docstring(lines: list[str], node: Function) -> list[str]:
    """Return the lines of a function, none where its docstring shares a line with code or is all there is."""
    statement, *rest = node.body
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    start, stop = statement.lineno, statement.end_lineno or statement.lineno
    if not rest or rest[0].lineno <= stop or _header_end(node) >= start:
        return []
    return lines[first - 1 : start - 1] + lines[stop : node.end_lineno]


def _header_end(node: Function) -> int:
    """Return the last line of the signature, as far as the tree tells: arguments and what is returned."""
    parts = [*ast.walk(node.args), *(ast.walk(node.returns) if node.returns else ())]
    return max([node.lineno, *(getattr(part, "end_lineno", None) or 0 for part in parts)])
