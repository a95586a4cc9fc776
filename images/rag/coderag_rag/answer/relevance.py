"""Whether what was found has anything to do with the question. Pure.

A search always finds something: the nearest vectors are near nothing in particular when the question is about cooking.
So before a model is asked, the words that carry the question are looked for in what was found. Only a clear miss is
refused; between that and a good answer the model decides, which is told to say so where the sources do not answer.
"""

import re
from collections.abc import Sequence

from coderag_rag.keyword import tokens
from coderag_rag.query.analysis import analyse, symbol_spellings
from coderag_rag.query.hits import Hit

# Chosen on 258 docstrings of packages that were indexed without them and 100 written questions, 70 of these about what
# no index holds; docs/asking.md has the figures. Below the first share the sources are about something else; up to the
# second they are unless one of them has two of the words together, for one word alone is met by chance.
LEAST_SHARE, SURE_SHARE, TOGETHER = 0.5, 0.67, 2
_GENERIC = frozenset(
    tokens(
        "function functions class classes method methods code file files line lines module modules package project repo"
        " repository repositories implement implemented implementation define defined definition declared work works"
        " happen happens explain describe tell show example write make makes use used using call called calls return"
        " returns give given value values new way need want should would could there here any all some into out same"
        " other more most no not only than such each every exactly actually currently"
    )
)
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
# Words of a Korean question that say nothing of what it is about, with the endings they take.
_KOREAN_GENERIC = re.compile(
    r"어디\S*|어떻게|어떤|어때\S*|무엇\S*|무슨|왜|언제|누가|얼마\S*|몇|뭐\S*|뭘|있(?:나|습|는|어|을)\S*|됩\S*|합니\S*|인가\S*"
    r"|되(?:나|어|었|는|고)\S*|하(?:나|는|고|면)\S*|해 ?(?:줘|주)\S*|입니\S*|알려 ?\S*|설명\S*|구현\S*|코드\S*|함수\S*"
    r"|파일\S*|방법\S*|처리\S*"
)


def is_answerable(text: str, hits: Sequence[Hit]) -> bool:
    """Whether the hits may hold an answer. A question whose words cannot be compared with code is given to the model.

    That is so where it holds no telling word, and for Korean words where most of what was found holds no Korean.
    """
    if not hits or _names_one(text, hits):
        return bool(hits)
    told = [frozenset(tokens(f"{hit.text}\n{' '.join([*hit.symbols, hit.within])}\n{hit.path}")) for hit in hits]
    korean = sum(bool(_HANGUL.search(hit.text)) for hit in hits) * 2 >= len(hits)
    words = _telling(text, latin_only=not korean)
    if any(_HANGUL.search(word) for word in words):
        # Pairs of syllables cross the ends of words and hold their endings: shares of them say little.
        return not words.isdisjoint(frozenset().union(*told))
    return not words or _covers(words, told)


def _covers(words: frozenset[str], told: Sequence[frozenset[str]]) -> bool:
    share = len(words & frozenset().union(*told)) / len(words)
    together = max(len(words & one) for one in told)
    return share >= LEAST_SHARE and (share > SURE_SHARE or together >= min(TOGETHER, len(words) - 1))


def _names_one(text: str, hits: Sequence[Hit]) -> bool:
    """Whether the question names a file, or something that a hit defines."""
    query = analyse(text)
    defined = {symbol for hit in hits for symbol in hit.symbols}
    return bool(query.files) or not defined.isdisjoint(symbol_spellings(query.identifiers))


def _telling(text: str, *, latin_only: bool) -> frozenset[str]:
    words = analyse(_KOREAN_GENERIC.sub(" ", text)).words - _GENERIC
    return frozenset(word for word in words if not (latin_only and _HANGUL.search(word)))
