"""From bytes to text without losing a line: UTF-8, UTF-16 with a mark, Korean, and a replacement for the rest.

A byte order mark of UTF-8 stays in the text, which is verbatim. What cannot be read, and NUL, becomes U+FFFD.
"""

from coderag_rag.chunking.causes import ENCODING, Note

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARK = b"\xff\xfe\0\0"
_UNREADABLE = "\ufffd"
_HANGUL_FIRST, _HANGUL_LAST = "\uac00", "\ud7a3"


def utf16(data: bytes) -> bool:
    """Whether the bytes begin with the mark of UTF-16 and are nothing else."""
    return data.startswith(_UTF16_MARKS) and not data.startswith(_UTF32_MARK) and _read(data, "utf-16") is not None


def decode(data: bytes) -> tuple[str, list[Note]]:
    """Return the text, and what was replaced on the way."""
    text, notes = _decoded(data)
    if "\0" in text:
        notes.append(Note(ENCODING, "NUL bytes are replaced"))
    return text.replace("\0", _UNREADABLE), notes


def _read(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decoded(data: bytes) -> tuple[str, list[Note]]:
    text = _read(data, "utf-8")
    if text is not None:
        return text, []
    if utf16(data):
        return data.decode("utf-16"), [Note(ENCODING, "UTF-16: read as text")]
    korean = _read(data, "cp949")
    if korean is not None and _mostly_hangul(korean):
        return korean, [Note(ENCODING, "not UTF-8: read as CP949 (Korean)")]
    return data.decode("utf-8", errors="replace"), [Note(ENCODING, "not UTF-8: unreadable bytes are replaced")]


def _mostly_hangul(text: str) -> bool:
    """Other encodings pass as CP949 now and then, but what they give is Chinese characters and symbols."""
    foreign = [character for character in text if character > "\x7f"]
    hangul = sum(_HANGUL_FIRST <= character <= _HANGUL_LAST for character in foreign)
    return hangul * 5 > len(foreign) * 4
