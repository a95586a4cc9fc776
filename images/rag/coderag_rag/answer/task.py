"""What a question wants: an explanation of code that is there, or code that is not there yet.

Decided by rules where the caller does not say: they cost nothing, are the same tomorrow and can be read.
"""

import re
from enum import StrEnum

_POLITE = r"(?:(?:hi|hello|hey|ok|okay|now|then|and|also|please|kindly)[,!.]? {1,3}){0,3}"
_ASKING = (
    r"(?:(?:can|could|would|will) you (?:please )?|i (?:want|need|would like)(?: you)? to |help me(?: to)? |let's )?"
)
_MAKE = (
    r"(?:write|generate|implement|create|add|build|refactor|rewrite|port|convert|extend|scaffold|draft|fix|complete"
    r"|change|modify|replace|optimi[sz]e|translate)"
)
_ORDER = re.compile(rf"(?:^|[.!?\n] {{0,3}}){_POLITE}{_ASKING}{_POLITE}{_MAKE}\b(?! (?:up|ed)\b)", re.IGNORECASE)
_WISH = re.compile(
    rf"(?:^|[.!?\n] {{0,3}}){_POLITE}(?:(?:can|could|would) you )?(?:please )?(?:give|show|make|get) (?:me|us) "
    r"(?:(?:an?|some|the) )?(?:\w+ ){0,3}?(?:example|snippet|code|test|tests|script|patch|implementation|template)\b",
    re.IGNORECASE,
)
# A request in Korean ends in a verb of giving or in an imperative: 작성해 줘, 만들어 주세요, 추가하세요.
_KOREAN = re.compile(
    r"(?:작성|구현|생성|추가|수정|변경|교체|변환|완성|최적화|리팩터링|리팩토링|만들어|고쳐|바꿔|짜|써|이식)(?:을|를)?"
    r" ?(?:해|하여)? ?(?:줘|주세요|주십시오|줄래|주실|다오|달라|봐|보세요|라|하세요|하십시오)"
)
_LONGEST = 2000  # characters that are looked at: what is below an order is what it is about


class Task(StrEnum):
    """The classes of questions, each with a prompt of its own."""

    EXPLAIN = "explain"
    GENERATE = "generate"


def task_of(question: str) -> Task:
    """Return what a question wants; what is not clearly an order is a question."""
    orders = (_ORDER, _WISH, _KOREAN)
    asked = question.strip()[:_LONGEST]
    return Task.GENERATE if any(order.search(asked) for order in orders) else Task.EXPLAIN
