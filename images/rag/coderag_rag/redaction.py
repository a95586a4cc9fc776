"""Removes secrets before text is embedded, stored or shown.

Every replacement stays on its line and no line is added or removed, so citations keep pointing at the right lines.
The patterns are few and specific: what has a known shape, and literals assigned to a name that says what they are.
"""

import re

MARK = "[redacted]"
# Files where a value needs no quotes; in program text an unquoted right-hand side is a name, not a secret.
_UNQUOTED_LANGUAGES = frozenset({"yaml", "toml", "bash", "text"})

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.S)
_TOKENS = re.compile(
    r"\b(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|[sr]k_live_[0-9A-Za-z]{16,}"
    r"|sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r")"
)
_URL_PASSWORD = re.compile(r"(://[^\s/:@\"'<>{}$]{1,64}:)[^\s/@\"'<>{}$]{3,256}(?=@)")
_KEYS = r"(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?"
_PASSWORDS = r"(?:password|passwd|passphrase|pwd)"
_ASSIGN = r"[\w.-]{0,40}[\"']?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}"
_QUOTED_PASSWORD = re.compile(rf"(?i)({_PASSWORDS}{_ASSIGN}([\"']))[^\"'\s${{}}<>%]{{6,256}}(?=\2)")
_QUOTED_KEY = re.compile(rf"(?i)({_KEYS}{_ASSIGN}([\"']))(?=[^\"'\s]*\d)[^\"'\s${{}}<>%]{{12,256}}(?=\2)")
_BARE = re.compile(
    rf"(?im)^([ \t]{{0,40}}(?:-[ \t]|export[ \t]+)?[\w.-]{{0,40}}(?:{_KEYS}|{_PASSWORDS})[\w.-]{{0,40}}"
    r"[ \t]{0,8}[:=][ \t]{0,8})(?=[^\s]*\d)(?=[^\s]*[a-z])[\w+/=!@%^*~-]{8,256}(?=[ \t\r]*$)"
)


def _blank_lines(match: re.Match[str]) -> str:
    lines = match[0].split("\n")
    return "\n".join([MARK + ("\r" if line.endswith("\r") else "") for line in lines])


def redact(text: str, language: str) -> str:
    """Return the text with secrets replaced, line for line."""
    text = _PRIVATE_KEY.sub(_blank_lines, text)
    text = _TOKENS.sub(MARK, text)
    for pattern in (_URL_PASSWORD, _QUOTED_PASSWORD, _QUOTED_KEY):
        text = pattern.sub(rf"\g<1>{MARK}", text)
    return _BARE.sub(rf"\g<1>{MARK}", text) if language in _UNQUOTED_LANGUAGES else text
