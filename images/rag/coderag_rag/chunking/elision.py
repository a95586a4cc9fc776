"""Data inside text, such as the pictures of a notebook: left out, with a mark in its place and every line kept.

Such a run says nothing to a reader, fills prompts, and makes lines that cannot be shown.
"""

import re

from coderag_rag.chunking.causes import LEFT_OUT_DATA, Note

_SHORTEST, _FEWEST_SIGNS = 1_000, 12
# Base64 or hexadecimal without a break; the escaped line ends of a JSON string do not end it. Atomic, hence linear.
_RUN = re.compile(r"(?<![\w+/=\\-])(?:[\w+/=-]{48,}+(?:\\n)?+)++[\w+/=-]*+", re.A)


def _mark(match: re.Match[str]) -> str:
    run = match[0]
    if len(run) < _SHORTEST or len(set(run)) < _FEWEST_SIGNS:
        return run  # a ruler of dashes, a string for a test
    end = "\\n" if run.endswith("\\n") else ""
    return f"[data of {len(run)} characters]{end}"


def leave_out_data(text: str) -> tuple[str, list[Note]]:
    """Return the text without its runs of encoded data, and a note if there were any."""
    shorter = _RUN.sub(_mark, text) if len(text) > _SHORTEST else text
    found = shorter != text
    return shorter, [Note(LEFT_OUT_DATA, "encoded data is left out")] if found else []
