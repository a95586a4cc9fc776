"""What an image is made of, read from its Containerfile: so that an unchanged one costs nothing."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

IGNORED = {"__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def instructions(text: str) -> Iterator[list[str]]:
    """Each instruction as its words, continued lines joined, comments dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield [name.upper(), rest.strip()]


def sources(text: str) -> list[str]:
    """The paths in the build context that COPY and ADD read, not those from other stages or the network."""
    found: list[str] = []
    for name, rest in instructions(text):
        if name not in ("COPY", "ADD"):
            continue
        words = shlex.split(rest) if not rest.startswith("[") else shlex.split(rest.strip("[]").replace(",", " "))
        options = [word for word in words if word.startswith("--")]
        if any(option.startswith("--from=") for option in options):
            continue
        paths = [word for word in words if not word.startswith("--")][:-1]
        found += [path for path in paths if "://" not in path]
    return found


def files(context: Path, pattern: str) -> list[Path]:
    """Every file that one COPY source stands for."""
    matches = sorted(context.glob(pattern.strip("/"))) if pattern.strip("./") else [context]
    found: list[Path] = []
    for match in matches:
        found += [path for path in sorted(match.rglob("*")) if path.is_file()] if match.is_dir() else [match]
    return [path for path in found if not IGNORED & set(path.relative_to(context).parts)]


def content_hash(containerfile: Path, context: Path, inputs: Iterable[str] = ()) -> str:
    """A hash of all that goes into the image: Containerfile, files with their modes, `inputs` such as the base."""
    text = containerfile.read_text()
    digest = hashlib.sha256("\0".join([text, *inputs]).encode())
    for pattern in sources(text):
        for path in files(context, pattern):
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            digest.update(f"\0{path.relative_to(context)}\0{mode}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]
