"""Model files that go wrong in a known way, made from the tiny ones by changing bytes: same length, same tensors.

They are not called *.gguf, so that the hub's list of usable models leaves them out.

- short.model: the header is whole, the tensors end early; it is refused before a server sees it.
- crash.model: the file is whole, but its chat template raises on everything; a server that loads it ends with an error.
- mute.model: loads and is healthy, but its chat template raises, so that every chat completion is refused.
- next.model: another good model, for a rolling change.
"""

import argparse
from pathlib import Path

from e2e.standins.tiny_gguf import TEMPLATE, write_model

# llama-server renders the one message `test` when it starts. What follows is for the stand-in server, which reads it.
MUTE = """{% if messages[0].content != 'test' %}{{ raise_exception('mute') }}{% endif %}{# standin:{"status": 500} #}"""
CRASH = """{{ raise_exception('standin:crash') }}"""
KEPT = 0.6


def shorten(model: bytes) -> bytes:
    """Return a model whose tensors end early."""
    return model[: int(len(model) * KEPT)]


def with_template(model: bytes, text: str) -> bytes:
    """Return a model with another chat template, padded to the length of its own."""
    template = TEMPLATE.encode()
    assert template in model
    return model.replace(template, text.encode().ljust(len(template)))


def write_odd(folder: Path) -> None:
    """Write the odd models beside the good ones."""
    good = (folder / "chat.gguf").read_bytes()
    (folder / "short.model").write_bytes(shorten(good))
    (folder / "crash.model").write_bytes(with_template(good, CRASH))
    (folder / "mute.model").write_bytes(with_template(good, MUTE))
    write_model(folder / "next.model", "next")


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(prog="python -m e2e.standins.odd_models", description=__doc__)
    parser.add_argument("folder", type=Path, help="where chat.gguf is")
    write_odd(parser.parse_args().folder)


if __name__ == "__main__":
    main()
