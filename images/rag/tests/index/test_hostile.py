"""Two hundred hostile files: each ends in chunks that tile it or in a counted reason, never in a crash or a hang."""

import asyncio
import codecs
import json
import random
from collections import Counter

import pytest
from coderag_rag.chunking.causes import KEYWORD_ONLY, LINE_FALLBACK, NOT_INDEXED
from coderag_rag.chunking.languages import LANGUAGES
from coderag_rag.chunking.lines import Lines
from coderag_rag.ingestion.preparer import Preparer

_OPENERS = ("(", "[\n", "{", "<div>\n", "<", "- ", "!", "${", "`", '"', "'''", "/*", "<<A\n", "if a\n", "f(", "#")
_BYTES = {
    "empty": b"",
    "one byte": b"\xff",
    "all bytes": bytes(range(256)) * 40,
    "noise": random.Random(3).randbytes(60_000),
    "nul late": b"text\n" * 4_000 + b"\0\0",
    "nul first": b"\0" * 9_000,
    "latin": "caf\u00e9 \u00fcber\n".encode("latin-1") * 300,
    "shift-jis": "検索エンジン\n".encode("shift-jis") * 300,
    "korean": "검색 엔진\n".encode("cp949") * 300,
    "half a character": "한글".encode()[:-1],
    "surrogates": b"x = '\xed\xa0\x80'\n" * 50,
    "overlong": b"\xc0\xaf\n" * 200,
    "utf-16": "def f(): pass\n".encode("utf-16"),
    "utf-16 broken": codecs.BOM_UTF16_LE + b"\x00\xd8\x00",
    "utf-32": "text\n".encode("utf-32"),
    "two marks": codecs.BOM_UTF8 * 2 + b"x = 1\n",
    "carriage returns": b"a = 1\r" * 3_000,
    "mixed ends": b"a\r\nb\rc\n\r\n" * 500,
    "one line": b"word " * 20_000,
    "huge line": b"x=1;" * 262_000,
    "huge letter": b"a" * 1_048_576,
    "huge space": b" " * 1_000_000,
    "huge blank": b"\n" * 300_000,
    "tabs": b"\t" * 100_000 + b"x\n",
    "separators": "a\u2028b\u2029c\u0085d\x0b\x0c\n".encode() * 900,
    "right to left": "\u202eabc\u202c\n".encode() * 300,
    "joiners": ("e" + "\u0301" * 5_000 + "\n").encode(),
    "emoji": "👩‍👩‍👧‍👦".encode() * 4_000,
    "control": bytes(range(1, 32)) * 300,
    "escape": b"\x1b[31mred\x1b[0m\n" * 500,
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "elf": b"\x7fELF\x02\x01\x01\0" + b"\0" * 500,
    "zip": b"PK\x03\x04\x14\0\0\0" * 100,
    "picture in text": b"<img src='data:image/png;base64," + b"iVBORw0KGgoA1b2c3d4" * 3_000 + b"'>\n",
    "keys": b"-----BEGIN RSA PRIVATE KEY-----\n" * 3_000,
    "key without end": b"-----BEGIN PRIVATE KEY-----\n" + b"MIIE1a2b3c\n" * 3_000,
    "passwords": b"password=" * 20_000,
    "quotes": b"password = \"" * 8_000,
    "equals": b"=" * 100_000,
    "at signs": b"a:b@" * 20_000,
    "urls": b"://a:" * 20_000,
    "dashes": b"eyJ-" * 20_000,
    "conflict": b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n" * 200,
}  # fmt: skip
_NOTEBOOKS = {
    "not json": b"{" * 5_000,
    "cells of nothing": b'{"cells": [' + b"null," * 9_000 + b"1]}",
    "one row": json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1\n"] * 900}] * 9}).encode(),
    "deep": b'{"cells": ' + b"[" * 20_000,
    "wrong kinds": b'{"cells": [{"cell_type": 1, "source": {"a": 2}}],\n "metadata": [3]}',
    "many": json.dumps({"cells": [{"cell_type": "code", "source": ["f()\n"]}] * 1_500}, indent=1).encode(),
}
_TABLES = {
    "quote": b'"' * 40_000,
    "wide": b"column," * 9_000 + b"\n" + b"1," * 9_000,
    "rows": b"a,b\n" * 60_000,
    "open": b'a,b\n"' + b"x,y\n" * 20_000,
}


def _pieces(language, opener):
    """Nesting that never closes, or closes the wrong way round, in one language."""
    return f"a.{_SUFFIX[language]}", (opener * 4_000 + "\n").encode() + b"x" + b")]}" * 900


_SUFFIX = {
    "python": "py", "javascript": "js", "typescript": "ts", "tsx": "tsx", "go": "go", "java": "java", "rust": "rs",
    "c": "c", "cpp": "cpp", "csharp": "cs", "ruby": "rb", "php": "php", "kotlin": "kt", "scala": "scala", "bash": "sh",
    "hcl": "tf", "json": "json", "yaml": "yaml", "toml": "toml", "html": "html", "css": "css",
}  # fmt: skip


def _hostile():
    """200 named files: (id, path, content)."""
    files = [(f"{name} as {suffix}", f"a.{suffix}", data) for name, data in _BYTES.items() for suffix in ("py", "md")]
    files += [(f"notebook {name}", "a.ipynb", data) for name, data in _NOTEBOOKS.items()]
    files += [(f"table {name}", "a.csv", data) for name, data in _TABLES.items()]
    files.append(("yaml levels", "a.yaml", "".join(" " * n + "a:\n" for n in range(700)).encode()))
    files.append(("python levels", "a.py", "".join(" " * n + "if x:\n" for n in range(700)).encode()))
    files.append(("odd name", "a\nb\x1b\u202e.py", b"x = 1\n"))
    files.append(("no name", ".", b"x = 1\n"))
    pairs = [(language, opener) for opener in _OPENERS for language in sorted(_SUFFIX)]
    chosen = random.Random(11).sample(pairs, 200 - len(files))
    return files + [(f"{opener!r} in {language}", *_pieces(language, opener)) for language, opener in chosen]


FILES = _hostile()


def check(name, document):
    """Every file is stored in lines that ascend, or its reason is counted."""
    if document.chunker == "none":
        assert document.reason, name
        assert set(document.causes) & NOT_INDEXED, name
        return
    reached = 0
    for piece in document.pieces:
        assert reached < piece.start_line <= piece.end_line, name
        assert len(Lines(piece.text)) == piece.end_line - piece.start_line + 1, name
        assert "\0" not in piece.text, name
        reached = piece.end_line
    if document.chunker == "lines":
        assert set(document.causes) & LINE_FALLBACK or document.language == "text", name


def test_there_are_two_hundred_files_for_every_grammar():
    assert len({name for name, _, _ in FILES}) == 200
    assert set(_SUFFIX) == set(LANGUAGES)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_two_hundred_hostile_files_end_in_chunks_or_a_counted_reason():
    preparer = Preparer(deadline=120)
    try:
        documents = {name: await preparer.prepare(data, [path]) for name, path, data in FILES}
    finally:
        await asyncio.wait_for(preparer.aclose(), timeout=30)
    for name, document in documents.items():
        check(name, document)
    causes = Counter(cause for document in documents.values() for cause in document.causes)
    assert len(documents) == 200
    assert {"binary", "long-line", "lfs-pointer", "parse-errors", "encoding"} <= set(causes)
    assert set(causes) & KEYWORD_ONLY
