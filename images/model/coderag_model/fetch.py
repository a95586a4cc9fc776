"""A GGUF file onto the model cache: locked, resumed, verified against its sha256, placed by one atomic rename."""

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from coderag_model.bounded import GgufError
from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError, volume_error
from coderag_model.logs import say
from coderag_model.opening import LocalFiles, Model, look
from coderag_model.part import BLOCK, Part, open_part
from coderag_model.retries import Retries
from coderag_model.source import Source


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that can be served."""

    path: Path
    sha256: str | None
    model: Model


def fetch(source: Source, sha256: str, directory: Path, deadline: Deadline) -> ModelFile:
    """Return the file with this sha256 in the directory, downloading it unless it is there and whole."""
    target = directory / f"{sha256}.gguf"
    try:
        with exclusive(directory / f"{sha256}.gguf.lock", deadline):
            if is_whole(target, sha256, deadline):
                say("the file is there already", file=str(target))
            else:
                with open_part(directory / f"{sha256}.gguf.part", deadline) as part:
                    complete(source, part, sha256, deadline, target)
            return inspect(target, sha256)
    except OSError as error:
        raise volume_error(error, f"writing to {directory}") from None


def inspect(path: Path, sha256: str | None = None) -> ModelFile:
    """Read the header of a file and check that the file is long enough for its tensors."""
    try:
        return ModelFile(path, sha256, look(LocalFiles(path)))
    except GgufError as error:
        raise FetchError(error.reason, str(error)) from None


def complete(
    source: Source,
    part: Part,
    sha256: str,
    deadline: Deadline,
    target: Path,
    check: Callable[[Path], object] = inspect,
) -> None:
    """Download what the part lacks, verify it and place it; what cannot become the file gives its space back.

    `check` raises FetchError where the right bytes are not what is wanted.
    """
    try:
        download(source, part, deadline)
        if part.digest() != sha256 and part.resumed:
            say("the resumed file has another sha256, starting over")
            part.clear()
            download(source, part, deadline)
        verify(part, sha256, check)
    except FetchError as error:
        part.flush() if error.transient else part.remove()
        raise
    except OSError as error:
        part.remove()
        raise volume_error(error, f"writing {target.name}") from None
    part.finish(target)
    say("downloaded and verified", file=str(target), bytes=part.size)


def download(source: Source, part: Part, deadline: Deadline) -> None:
    """Pull until the server says that everything was sent, resuming after every failure that may pass."""
    retries = Retries(deadline)
    while True:
        before = part.size
        try:
            return source.pull(part, deadline)
        except FetchError as error:
            retries.failed(error, progress=part.size > before, bytes=part.size)


def verify(part: Part, sha256: str, check: Callable[[Path], object]) -> None:
    """Raise unless these are the right bytes, and what is wanted."""
    if part.digest() != sha256:
        raise FetchError("ChecksumMismatch", f"expected sha256 {sha256}, the server sends {part.digest()}")
    part.flush()
    check(part.path)


def is_whole(target: Path, sha256: str, deadline: Deadline) -> bool:
    """Tell whether the file is there with the right bytes; a damaged one is removed."""
    if not target.exists():
        return False
    if digest_file(target, deadline) == sha256:
        return True
    say("the file on the volume is damaged, fetching it again", file=str(target))
    target.unlink()
    return False


def digest_file(path: Path, deadline: Deadline) -> str:
    """Return the sha256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            deadline.left()
            found.update(block)
    return found.hexdigest()


@contextlib.contextmanager
def exclusive(path: Path, deadline: Deadline) -> Iterator[None]:
    """Hold the lock of a file, so that two Jobs do not download it side by side."""
    with path.open("a") as file:
        while not try_lock(file):
            say("another download of this file is running, waiting", lock=path.name)
            deadline.wait(1.0)
        yield


def try_lock(file: IO[str]) -> bool:
    """Take the lock if it is free. It ends with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
