"""What the fields of a request must be before LiteLLM sees it. Pure.

LiteLLM takes a number where a list belongs, fails somewhere inside and says 500, which reads as a model that is down.
Only the form is judged here, and null stands for a field that is not there; ranges are the model server's to judge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """What a value must look like, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_content(value: Any) -> bool:
    parts = isinstance(value, list) and all(isinstance(part, dict) for part in value)
    return value is None or isinstance(value, str) or parts


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and _is_content(value.get("content"))


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(word, str) for word in value))


MESSAGES = Form(
    'a list of objects like {"role": "user", "content": "text"}',
    lambda value: isinstance(value, list) and all(map(_is_message, value)),
)
WHOLE = Form("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
NUMBER = Form("a number", _is_number)
OBJECT = Form("an object", lambda value: isinstance(value, dict))
FORMS: Mapping[str, Form] = {
    "messages": MESSAGES,
    "stop": Form("a text or a list of texts", _is_stop),
    "stream_options": OBJECT,
    "response_format": OBJECT,
    "stream": Form("true or false", lambda value: isinstance(value, bool)),
    # a flag for chat, the number of alternatives for the old completions
    "logprobs": Form("true, false or a whole number", lambda value: isinstance(value, int)),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs"), WHOLE),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), NUMBER),
}


def find_misshapen(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first field that has the wrong form, and what it should be; None where there is none."""
    for name, form in FORMS.items():
        value = document.get(name)
        if value is not None and not form.holds(value):
            return name, form.words
    return None
