"""Which files are worth searching: from the path and size alone, then from the content."""

import re
from pathlib import PurePosixPath

from coderag_rag.chunking.causes import BINARY, LFS_POINTER, LOCK_FILE, LONG_LINE, Note
from coderag_rag.chunking.encoding import utf16

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
_LFS = b"version https://git-lfs.github.com/spec/"
_PINS = re.compile(rb"^ +--hash=sha256:[0-9a-f]{64}", re.M)  # pip's lock files carry any name
_MANY_PINS = 20
_LOOKED_AT = 8192
_UNREADABLE, _UNREADABLE_SHARE = "\ufffd", 10
# A chunk is whole lines and is stored, sent and shown as a whole.
LONGEST_LINE = 128 * 1024


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


def skip_bytes(data: bytes) -> Note | None:
    """Return why bytes are not read as text, or nothing."""
    if data.startswith(_LFS):
        return Note(LFS_POINTER, "Git LFS pointer: the content is not in the repository")
    if b"\0" in data[:_LOOKED_AT] and not utf16(data):
        return Note(BINARY, "binary content")
    if len(_PINS.findall(data)) > _MANY_PINS:
        return Note(LOCK_FILE, "lock file")
    return None


def skip_text(text: str) -> Note | None:
    """Return why a text is not stored, or nothing. Encoded data must have been left out before."""
    if text.count(_UNREADABLE) * _UNREADABLE_SHARE > len(text):
        return Note(BINARY, "binary content")
    if max(map(len, text.split("\n"))) > LONGEST_LINE:
        return Note(LONG_LINE, f"a line is longer than {LONGEST_LINE // 1024} KiB: it cannot be cited")
    return None


def skip_by_content(data: bytes) -> str:
    """Return why the content cannot be searched, or nothing."""
    note = skip_bytes(data)
    return note.reason if note else ""
