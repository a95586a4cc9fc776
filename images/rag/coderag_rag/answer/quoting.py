"""Retrieved text as data: quoted so that nothing in it can end the quotation or speak as another part of the prompt.

Two things could: the delimiters of a prompt, and the control tokens of chat templates, which model servers recognise
anywhere in a prompt. The delimiters carry a word that none of the texts holds; control tokens are broken up.
What is cited is the stored text and never this one.
"""

import hashlib
import re
from collections.abc import Sequence

# `<|im_end|>` and its like, DeepSeek's with fullwidth bars, Gemma's turns, Llama's and Mistral's brackets, and the tags
# around calls of tools and around thoughts. A space after the bracket is enough for a tokenizer to read plain text.
_CONTROL = re.compile(
    r"<(?=[|｜])|[|｜](?=>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|think|tools?|tool_call|tool_response|function_calls?)>)"
    r"|<(?=(?:start|end)_of_(?:turn|image|role)>|unused\d+>)"
    r"|\[(?=/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\])|<<(?=/?SYS>>)",
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_BREAKS = re.compile(r"[\r\n\t\x0b\x0c\x85\u2028\u2029]+")


def disarm(text: str) -> str:
    """Return a text that holds no control token of a chat template; other characters stay as they are."""
    return _CONTROL.sub(lambda found: found[0] + " ", text)


def one_line(text: str) -> str:
    """Return a name as one line that can be shown in a header: a path may hold line feeds and worse."""
    return disarm(_UNPRINTABLE.sub("?", _BREAKS.sub(" ", text)))


def visible(text: str) -> str:
    """Return code as a model may see it: disarmed, and with no character that hides or reverses what is written."""
    return disarm(_UNPRINTABLE.sub("?", text.replace("\r\n", "\n").replace("\r", "\n")))


def boundary(texts: Sequence[str]) -> str:
    """Return the name of the tag around each source: short, the same for the same texts, and found in none of them."""
    digest = hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass"))
    while any((name := f"source-{digest.hexdigest()[:8]}") in text.lower() for text in texts):
        digest.update(b"again")
    return name
