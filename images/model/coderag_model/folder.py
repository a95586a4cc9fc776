"""A model that is several files, onto the model cache: each is fetched as a single one is, below one folder.

Parts and locks lie beside the folder: whoever reads it counts every file that is in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from coderag_model.deadline import Deadline
from coderag_model.errors import FetchError, volume_error
from coderag_model.fetch import complete, exclusive, is_whole
from coderag_model.logs import say
from coderag_model.part import open_part
from coderag_model.source import Source

ANYTHING = b""  # what files of a folder begin with


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file: its path below the base address and below the folder, and its digest."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose files are all there and verified; `size` in bytes."""

    path: Path
    files: int
    size: int


def fetch_folder(
    base: str, wanted: Sequence[Wanted], target: Path, deadline: Deadline, connect: Callable[[str], Source] = Source
) -> Folder:
    """Return the folder with these files in it, downloading those that are not there and whole."""
    try:
        with exclusive(target.with_name(f"{target.name}.lock"), deadline):
            for file in wanted:
                place_file(connect(f"{base.rstrip('/')}/{quote(file.path)}"), file, target, deadline)
            sizes = [(target / file.path).stat().st_size for file in wanted]
            return Folder(target, len(sizes), sum(sizes))
    except OSError as error:
        raise volume_error(error, f"writing to {target.parent}") from None


def place_file(source: Source, file: Wanted, target: Path, deadline: Deadline) -> None:
    """Bring one file to its place in the folder; a failure names the file."""
    place = target / file.path
    if is_whole(place, file.sha256, deadline):
        say("the file is there already", file=str(place))
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_part(target.with_name(f"{file.sha256}.part"), deadline, ANYTHING) as part:
            complete(source, part, file.sha256, deadline, place, lambda path: None)
    except FetchError as error:
        text = f"{file.path}: {error}"
        raise FetchError(error.reason, text, transient=error.transient, retry_after=error.retry_after) from None
