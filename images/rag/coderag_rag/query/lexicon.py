"""Korean words of a query in English: code is written in English, and so are the models that know English only.

A lexicon is learned when the image is built (`coderag_lexicon`), from strings that open-source packages have in both
languages. It holds beginnings of words, because Korean words end in particles and verb endings. A word that is not in
it is left out: half of a question in English finds more than all of it in Korean.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
# What is short and stands behind a name without a space is a particle: `GPU에`, `retry()에서`.
_KOREAN = re.compile(r"(?P<glued>(?<=[A-Za-z0-9_`)]))?[\uac00-\ud7a3]+")
_WORD = re.compile(r"\w")
_SHORTEST, LONGEST = 2, 5  # syllables of a beginning
_PARTICLE = 2  # syllables of the longest particle that is taken for nothing else


class InvalidLexicon(Exception):  # noqa: N818 - reads as the state it names
    """The file is not a lexicon; the message names the line."""


def beginnings(word: str) -> list[str]:
    """Return what a Korean word may be found by, longest first: its first syllables, or all of a word of one."""
    return [word[:length] for length in range(min(len(word), LONGEST), _SHORTEST - 1, -1)] or [word]


def korean_words(text: str) -> list[str]:
    """Return the Korean words of a text in order, without particles behind Latin letters."""
    found = _KOREAN.finditer(unicodedata.normalize("NFC", text))
    return [match[0] for match in found if not _is_particle(match)]


def _is_particle(match: re.Match[str]) -> bool:
    return match["glued"] is not None and len(match[0]) <= _PARTICLE


class Lexicon:
    """English words by the beginnings of Korean ones."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = dict(words)

    def __len__(self) -> int:
        return len(self._words)

    @classmethod
    def read(cls, path: Path) -> "Lexicon":
        """Read a file of `beginning TAB word` lines; raises InvalidLexicon, or OSError where there is none."""
        words: dict[str, str] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            korean, separator, english = line.partition("\t")
            if not (separator and english and _HANGUL.fullmatch(korean)):
                raise InvalidLexicon(f"{path.name}:{number} is not a Korean word, a tab and an English word")
            words[korean] = english
        return cls(words)

    @staticmethod
    def lines(words: Mapping[str, str]) -> Iterable[str]:
        """Return what `read` reads, in one order."""
        return (f"{korean}\t{words[korean]}\n" for korean in sorted(words))

    def english(self, text: str) -> str:
        """Return a text with its Korean words in English, unknown ones left out; the text itself if nothing is left."""
        if text.isascii() or not self._words:
            return text
        found = _KOREAN.sub(lambda match: f" {self._word(match)} ", unicodedata.normalize("NFC", text))
        return " ".join(found.split()) if _WORD.search(found) else text

    def _word(self, match: re.Match[str]) -> str:
        found = [] if _is_particle(match) else beginnings(match[0])
        return next((self._words[one] for one in found if one in self._words), "")


NO_LEXICON = Lexicon({})
