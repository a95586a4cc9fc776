"""What is asked: distinct texts of every class of query, taken from the code that is searched.

Distinct, because the embedding service keeps the vectors of repeated queries, and callers seldom repeat each other.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence

from coderag_rag.terms import split_identifier

from benchmarks.load.corpus import File

_SENTENCE = re.compile(r"^\s*(?:#|//|\*|\"\"\"|''')\s*([A-Z][^\n]{25,140}?)(?:\"\"\"|\*/)?\s*$", re.M)
_KOREAN = ("{} 함수는 어디에 정의되어 있나요", "{} 처리 방법을 알려 주세요", "{} 오류가 나는 이유는 무엇인가요")
# Shares of a mix as an editor and a chat produce it; the classes are those of the search service.
SHARES = {"prose": 0.5, "symbol": 0.2, "code": 0.1, "path": 0.05, "error-trace": 0.05, "korean": 0.1}


def draw_queries(files: Sequence[File], count: int, seed: int = 1) -> list[str]:
    """Return so many distinct queries, mixed by SHARES as far as the files have enough; else fewer."""
    pools = {kind: list(dict.fromkeys(texts)) for kind, texts in _pools(files).items()}
    draw = random.Random(seed)
    chosen: dict[str, None] = {}
    for kind, share in SHARES.items():
        pool = pools[kind]
        chosen |= dict.fromkeys(draw.sample(pool, min(round(count * share), len(pool))))
    rest = sorted({text for pool in pools.values() for text in pool} - set(chosen))
    chosen |= dict.fromkeys(draw.sample(rest, min(count - len(chosen), len(rest))))
    texts = list(chosen)
    draw.shuffle(texts)
    return texts


def _pools(files: Sequence[File]) -> dict[str, Iterable[str]]:
    return {
        "prose": [sentence for file in files for piece in file.document.pieces for sentence in _prose(piece.text)],
        "symbol": [symbol for file in files for piece in file.document.pieces for symbol in piece.symbols],
        "code": [line for file in files for piece in file.document.pieces[:3] for line in _code(piece.text)],
        "path": [file.path for file in files],
        "error-trace": list(_traces(files)),
        "korean": [_KOREAN[n % 3].format(symbol) for n, symbol in enumerate(_names(files))],
    }


def _prose(text: str) -> list[str]:
    return [found.strip() for found in _SENTENCE.findall(text)[:2]]


def _code(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "(" in line and 20 < len(line.strip()) < 120][:2]


def _names(files: Sequence[File]) -> Iterator[str]:
    for file in files:
        for piece in file.document.pieces[:4]:
            for symbol in piece.symbols[:1]:
                words = split_identifier(symbol)
                yield " ".join(words) if len(words) > 1 else symbol


def _traces(files: Sequence[File]) -> Iterator[str]:
    for file in files:
        for piece in file.document.pieces[:3]:
            if piece.symbols:
                name = piece.symbols[0].rpartition(".")[2]
                frame = f'File "/app/{file.path}", line {piece.start_line}, in {name}'
                yield f"Traceback (most recent call last):\n  {frame}\nValueError: {name} failed"
