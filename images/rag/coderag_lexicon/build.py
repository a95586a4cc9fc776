"""Learn the lexicon: `python -m coderag_lexicon.build --sources LOCK --out FILE`.

The lock pins packages whose strings are in English and Korean; pip checks their hashes, and none of them is installed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from coderag_rag.query.lexicon import Lexicon, beginnings, korean_words
from coderag_rag.terms import SMALL_WORDS, split_identifier, tokens

from coderag_lexicon.alignment import translations
from coderag_lexicon.catalogs import Pair, pairs_of

ROUNDS = 8
# Chosen on the 75 questions of benchmarks/retrieval/korean-choosing.jsonl; 0.3 and 0.4 cannot be told from it.
SURE = 0.35  # the least probability of a translation
SEEN = 3  # strings that a beginning must be in
LONGEST_STRING = 400  # characters; in whole paragraphs every word stands beside every other

_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{[^}]*\}|<[^>]+>|\\n|&\w+;")
_LATIN = re.compile(r"[A-Za-z]+")


def learn(pairs: Iterable[Pair]) -> dict[str, str]:
    """Return the English word that each beginning of a Korean word stands for, where one is sure."""
    surfaces: dict[str, Counter[str]] = defaultdict(Counter)
    read: list[tuple[set[str], set[str]]] = []
    for pair in sorted(pairs):
        if len(pair.english) <= LONGEST_STRING:
            stems = list(_stems(pair.english))
            for stem, word in stems:
                surfaces[stem][word] += 1
            read.append((_beginnings(pair.korean), {stem for stem, _ in stems} - SMALL_WORDS))
    seen = Counter(one for korean, _ in read for one in korean)
    frequent = [(sorted(one for one in korean if seen[one] >= SEEN), sorted(english)) for korean, english in read]
    table = translations([pair for pair in frequent if all(pair)], ROUNDS)
    best = {korean: max(row, key=lambda stem: (row[stem], stem)) for korean, row in table.items()}
    return {korean: surfaces[stem].most_common(1)[0][0] for korean, stem in best.items() if table[korean][stem] > SURE}


def _beginnings(text: str) -> set[str]:
    return {one for word in korean_words(text) for one in beginnings(word)}


def _stems(text: str) -> Iterator[tuple[str, str]]:
    """Yield the stem and the word in lower case for each word of a string, placeholders and markup left out."""
    for name in _LATIN.findall(_PLACEHOLDER.sub(" ", text)):
        for word in split_identifier(name):
            for stem in tokens(word):
                yield stem, word


def download(lock: Path, into: Path) -> list[Path]:
    """Download the wheels that the lock pins; pip checks their hashes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(lock), "--dest", str(into)]
    subprocess.run([*command, *options], check=True)
    return sorted(into.glob("*.whl"))


def build(lock: Path, out: Path) -> Mapping[str, str]:
    """Write the lexicon and return it; raises ValueError when a package has no strings in Korean."""
    pairs: set[Pair] = set()
    with tempfile.TemporaryDirectory() as folder:
        for wheel in download(lock, Path(folder)):
            found = pairs_of(wheel)
            if not found:
                raise ValueError(f"{wheel.name} has no strings in English and Korean: take it out of {lock.name}")
            pairs |= found
    words = learn(pairs)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(Lexicon.lines(words)), encoding="utf-8")
    sys.stdout.write(f"{out.name}: {len(words)} words, learned from {len(pairs)} strings\n")
    return words


def main(arguments: list[str] | None = None) -> None:
    """Build into a file."""
    parser = argparse.ArgumentParser(prog="python -m coderag_lexicon.build", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sources", type=Path, required=True, help="the lock with the packages to learn from")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    options = parser.parse_args(arguments)
    build(options.sources, options.out)


if __name__ == "__main__":
    main()
