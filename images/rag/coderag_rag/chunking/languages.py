"""The grammar and definition nodes of each language, and the name that people know it by.

Grammars come in one wheel per language: nothing is downloaded at run time.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from tree_sitter import Language as Grammar
from tree_sitter import Parser

from coderag_rag.chunking.filenames import (
    CSV,
    MARKDOWN,
    NOTEBOOK,
    PROSE,
    TABLES,
    TEXT,
    TSV,
    label_without_grammar,
    lacks_grammar,
    language_of,
    language_of_script,
)

__all__ = [
    "CSV",
    "LANGUAGES",
    "MARKDOWN",
    "NOTEBOOK",
    "PROSE",
    "TABLES",
    "TEXT",
    "TSV",
    "Language",
    "label_of",
    "lacks_grammar",
    "language_of",
    "language_of_script",
]

_C = {
    "function_definition": "function",
    "struct_specifier": "struct",
    "union_specifier": "union",
    "enum_specifier": "enum",
    "type_definition": "type",
    "preproc_def": "macro",
    "preproc_function_def": "macro",
}
_JAVASCRIPT = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "class_declaration": "class",
    "method_definition": "method",
    "variable_declarator": "constant",
}
_TYPESCRIPT = _JAVASCRIPT | {
    "abstract_class_declaration": "class",
    "interface_declaration": "interface",
    "type_alias_declaration": "type",
    "enum_declaration": "enum",
    "internal_module": "namespace",
    "function_signature": "function",
    "method_signature": "method",
    "abstract_method_signature": "method",
}
_TYPES = {"class_declaration": "class", "interface_declaration": "interface", "enum_declaration": "enum"}


@dataclass(frozen=True)
class Language:
    """A language with a grammar: the wheel's module, its entry, and which nodes define names."""

    name: str
    label: str
    module: str
    entry: str = "language"
    definitions: Mapping[str, str] = field(default_factory=dict)

    def parser(self) -> Parser:
        """Return a parser with this language's grammar."""
        return _parser(self.module, self.entry)


@cache
def _parser(module: str, entry: str) -> Parser:
    return Parser(Grammar(getattr(importlib.import_module(module), entry)()))


_ALL = (
    Language(
        "python",
        "Python",
        "tree_sitter_python",
        definitions={"function_definition": "function", "class_definition": "class", "assignment": "constant"},
    ),
    Language("javascript", "JavaScript", "tree_sitter_javascript", definitions=_JAVASCRIPT),
    Language("typescript", "TypeScript", "tree_sitter_typescript", "language_typescript", _TYPESCRIPT),
    Language("tsx", "TypeScript", "tree_sitter_typescript", "language_tsx", _TYPESCRIPT),
    Language(
        "go",
        "Go",
        "tree_sitter_go",
        definitions={
            "function_declaration": "function",
            "method_declaration": "method",
            "type_spec": "type",
            "type_alias": "type",
            "const_spec": "constant",
        },
    ),
    Language(
        "java",
        "Java",
        "tree_sitter_java",
        definitions=_TYPES
        | {
            "record_declaration": "record",
            "annotation_type_declaration": "annotation",
            "method_declaration": "method",
            "constructor_declaration": "constructor",
        },
    ),
    Language(
        "rust",
        "Rust",
        "tree_sitter_rust",
        definitions={
            "function_item": "function",
            "function_signature_item": "function",
            "struct_item": "struct",
            "enum_item": "enum",
            "union_item": "union",
            "trait_item": "trait",
            "impl_item": "impl",
            "mod_item": "module",
            "macro_definition": "macro",
            "type_item": "type",
            "const_item": "constant",
            "static_item": "constant",
        },
    ),
    Language("c", "C", "tree_sitter_c", definitions=_C),
    Language(
        "cpp",
        "C++",
        "tree_sitter_cpp",
        definitions=_C | {"class_specifier": "class", "namespace_definition": "namespace", "alias_declaration": "type"},
    ),
    Language(
        "csharp",
        "C#",
        "tree_sitter_c_sharp",
        definitions=_TYPES
        | {
            "struct_declaration": "struct",
            "record_declaration": "record",
            "namespace_declaration": "namespace",
            "method_declaration": "method",
            "constructor_declaration": "constructor",
            "property_declaration": "property",
        },
    ),
    Language(
        "ruby",
        "Ruby",
        "tree_sitter_ruby",
        definitions={"method": "method", "singleton_method": "method", "class": "class", "module": "module"},
    ),
    Language(
        "php",
        "PHP",
        "tree_sitter_php",
        "language_php",
        _TYPES | {"function_definition": "function", "method_declaration": "method", "trait_declaration": "trait"},
    ),
    Language(
        "kotlin",
        "Kotlin",
        "tree_sitter_kotlin",
        definitions={
            "function_declaration": "function",
            "class_declaration": "class",
            "object_declaration": "object",
        },
    ),
    Language(
        "scala",
        "Scala",
        "tree_sitter_scala",
        definitions={
            "function_definition": "function",
            "class_definition": "class",
            "object_definition": "object",
            "trait_definition": "trait",
        },
    ),
    Language("bash", "Shell", "tree_sitter_bash", definitions={"function_definition": "function"}),
    Language("hcl", "HCL", "tree_sitter_hcl"),
    Language("json", "JSON", "tree_sitter_json"),
    Language("yaml", "YAML", "tree_sitter_yaml"),
    Language("toml", "TOML", "tree_sitter_toml"),
    Language("html", "HTML", "tree_sitter_html"),
    Language("css", "CSS", "tree_sitter_css"),
)
LANGUAGES: Mapping[str, Language] = {language.name: language for language in _ALL}


def label_of(language: str) -> str:
    """Return the name of a language as people write it."""
    known = LANGUAGES.get(language)
    return known.label if known else label_without_grammar(language)
