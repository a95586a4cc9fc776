"""What `coderag plan` is given: every text of the command line checked, every failure with its flag and a remedy."""

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path

from coderag_model.bounded import GgufError
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError
from coderag_model.geometry import Geometry
from coderag_model.opening import open_geometry

PATIENCE, SILENCE, PAUSE = 60.0, 10.0, 0.2  # seconds: for a model, for an answer, between tries; a person waits
TOKEN = re.compile(r"[!-~]+")
REMEDIES = {
    "NotFound": "give the path of a GGUF file, or an http(s) address that serves one",
    "NotGguf": "give a GGUF file; models in other formats are converted with llama.cpp's convert_hf_to_gguf.py",
    "Truncated": "get the whole file anew",
    "Unsupported": "give a model whose memory can be planned, or set its layers by hand and measure",
    "Unauthorized": "give a token that may read it in --token-file",
    "Unreachable": "check the address and the network, or give a file",
}
OTHER_REMEDY = "check that it can be read"


class BadInput(Exception):  # noqa: N818 - named after what it says
    """An argument that cannot be used."""

    def __init__(self, argument: str, problem: str, remedy: str) -> None:
        super().__init__(f"argument {argument}: {problem}; {remedy}")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def layers(text: str) -> int | str:
    """Read Auto, All or a number of layers."""
    if text in ("Auto", "All"):
        return text
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither Auto nor All nor a number from 0 to 999")
    return int(text)


def build_number(text: str) -> int:
    """Read a build of llama.cpp, with or without the b of its tag."""
    if not re.fullmatch(r"b?[0-9]{1,7}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a build of llama.cpp: give its number, as in b9476")
    return int(text.removeprefix("b"))


def read_token(path: Path | None) -> str | None:
    """Return the token in a file; raises BadInput, which never shows it."""
    if path is None:
        return None
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise BadInput("--token-file", f"{path} cannot be read as text", "give a readable file") from None
    if not TOKEN.fullmatch(token):
        raise BadInput("--token-file", f"{path} does not hold one word", "write the token alone into it")
    return token


def read_geometry(argument: str, file_or_url: str, token: str | None) -> Geometry:
    """Return the geometry of a model; raises BadInput."""
    if "://" in file_or_url and not file_or_url.startswith(("http://", "https://")):
        raise BadInput(argument, "the address is neither http nor https", REMEDIES["NotFound"])
    deadline = Deadline(PATIENCE, sleep=lambda seconds: time.sleep(min(seconds, PAUSE)))
    try:
        return open_geometry(file_or_url, token, deadline=deadline, read=SILENCE)
    except (GgufError, FetchError) as error:
        raise BadInput(argument, str(error), REMEDIES.get(error.reason, OTHER_REMEDY)) from None
