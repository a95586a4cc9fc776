"""Which files are worth searching: from the path and size alone, then from the content."""

import re
from pathlib import PurePosixPath

LARGEST_FILE = 1024 * 1024
_LOCK_FILES = frozenset(
    {
        "Cargo.lock",
        "Gemfile.lock",
        "Pipfile.lock",
        "bun.lock",
        "composer.lock",
        "flake.lock",
        "go.sum",
        "package-lock.json",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
    }
)
_BINARY_EXTENSIONS = """
7z a avif bin bmp bz2 class dll dylib eot exe gguf gif gz ico jar jpeg jpg lib mo mov mp3 mp4 npy npz o onnx otf
parquet pdf pickle png pyc rar safetensors so svg tar tgz tiff ttf wasm wav webm webp whl woff woff2 xz zip zst
"""
_BINARY = frozenset(_BINARY_EXTENSIONS.split())
# Only in a comment line: source that speaks about such markers is written by hand.
_GENERATED = re.compile(
    r"^[ \t]*(?:#|//|/\*|\*|--|<!--|;|%).{0,200}"
    r"(?:@generated\b|code generated .{0,80}do not edit|auto-?generated file)",
    re.I | re.M,
)
_LFS = b"version https://git-lfs.github.com/spec/"
_PINS = re.compile(rb"^ +--hash=sha256:[0-9a-f]{64}", re.M)  # pip's lock files carry any name
_MANY_PINS = 20
_LONGEST_LINE = 5_000
_LONGEST_AVERAGE = 300


def skip_by_name(path: str, size: int) -> str:
    """Return why a file is not read at all, or nothing."""
    name = PurePosixPath(path).name
    if name in _LOCK_FILES:
        return "lock file"
    if "." in name and name.rpartition(".")[2].lower() in _BINARY:
        return "binary or drawn file"
    if size > LARGEST_FILE:
        return f"larger than {LARGEST_FILE // 1024} KiB ({size // 1024} KiB)"
    return ""


def skip_by_content(data: bytes) -> str:
    """Return why the content cannot be searched, or nothing."""
    if data.startswith(_LFS):
        return "Git LFS pointer: the content is not in the repository"
    if b"\0" in data[:8192]:
        return "binary content"
    if len(_PINS.findall(data)) > _MANY_PINS:
        return "lock file"
    lines = data.split(b"\n")
    if max(map(len, lines)) > _LONGEST_LINE or (len(data) > 4096 and len(data) / len(lines) > _LONGEST_AVERAGE):
        return "minified: lines are too long to cite"
    return ""


def generated(text: str) -> bool:
    """Whether the head of the file says that a program wrote it."""
    return _GENERATED.search(text[:2000]) is not None
