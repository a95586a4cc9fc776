"""Which language to answer in: that of the question, and for a question without words that of what came before it."""

import re
from collections.abc import Sequence

# What is quoted or code says nothing about the one who asks.
_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)|“[^”\n]*”|‘[^’\n]*’", re.S)
_LONGEST = 5000  # characters that are looked at
_WORD = re.compile(r"[^\W\d_]")
KOREAN, OTHER = "Korean (한국어)", "the language that the question is written in"
_SCRIPTS = (
    (KOREAN, re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")),
    ("Japanese (日本語)", re.compile(r"[\u3041-\u30ff]")),
    ("Chinese (中文)", re.compile(r"[\u4e00-\u9fff]")),
)


def question_language(question: str, earlier: Sequence[str] = ()) -> str:
    """Return the language to answer in, as a prompt says it; `earlier` are the user's turns before, oldest first.

    A Korean sentence stays Korean however many names in Latin letters it holds, and a quoted Korean text does not make
    an English question Korean.
    """
    for text in (question, *reversed(earlier)):
        said = _QUOTED.sub(" ", text[:_LONGEST])
        if _WORD.search(said):
            return _by_script(said)
    return _by_script(question)


def is_korean(question: str, earlier: Sequence[str] = ()) -> bool:
    """Whether the answer should be Korean."""
    return question_language(question, earlier) == KOREAN


def _by_script(text: str) -> str:
    return next((name for name, script in _SCRIPTS if script.search(text)), OTHER)
