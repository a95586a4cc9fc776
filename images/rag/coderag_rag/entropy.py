"""Literals that look random: secrets without a known shape or a telling name.

Policy. A literal of 24 to 128 letters and digits of all three kinds is taken for a secret when its signs are as mixed
as chance would mix them and it does not fall apart into words. Hexadecimal is left alone, for most of it is hashes, and
so is what is introduced as a hash, as in lock files; so are public keys, alphabets and identifiers.
"""

import math
import re
from collections import Counter
from itertools import pairwise

from coderag_rag.terms import split_identifier

_BODY = r"(?P<value>[A-Za-z0-9+/_-]{24,128}={0,2})"
QUOTED = re.compile(rf"(?P<quote>[\"'`]){_BODY}(?=(?P=quote))")
BARE = re.compile(rf"(?m)^[^\n\"'`#]{{1,80}}?[=:][ \t]{{0,4}}{_BODY}(?=[ \t\r]*$)")
_HASH = re.compile(r"(?i)(?:sha-?\d*|md5|h1|blake\w*|integrity|checksum|digest|hash|etag|fingerprint|ssh-\S+)\W{0,6}$")
_HASH_PREFIX = re.compile(r"(?i)(?:sha\d+|md5|h1|blake\w+)[-:_=]|AAAA")
_HASH_WINDOW = 40
_MIXED = 0.84
_LONGEST_PARTS = 2.6
_MOST_SUCCESSIVE = 0.25


def _bits(value: str) -> float:
    """The entropy of the signs, in bits for each."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def _all_kinds(value: str) -> bool:
    return any(c.islower() for c in value) and any(c.isupper() for c in value) and any(c.isdigit() for c in value)


def looks_random(value: str) -> bool:
    """Whether a literal is mixed like chance and no word, path, alphabet or hexadecimal number."""
    solid = value.rstrip("=")
    if not _all_kinds(solid) or re.fullmatch(r"[0-9a-fA-F-]+", solid):
        return False
    parts = split_identifier(solid)
    successive = sum(ord(b) - ord(a) == 1 for a, b in pairwise(solid)) / len(solid)
    mixed = _bits(solid) >= _MIXED * math.log2(min(len(solid), 64))
    return mixed and sum(map(len, parts)) / len(parts) < _LONGEST_PARTS and successive < _MOST_SUCCESSIVE


def is_secret(match: re.Match[str]) -> bool:
    """Whether a literal, where it stands, is taken for a secret."""
    start = match.start("value")
    before = match.string[max(0, start - _HASH_WINDOW) : start].rstrip("\"'`")
    told = _HASH.search(before) or _HASH_PREFIX.match(match["value"])
    return not told and looks_random(match["value"])
