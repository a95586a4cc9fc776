"""model.json: what a model folder says about itself.

The build step writes it last and the service reads it first, so a folder without one is an unfinished build.
Its fields are part of every index's identity: whoever changes them makes new vectors.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FILE_NAME = "model.json"
Precision = Literal["int8", "fp32"]


class ModelFile(BaseModel):
    """One file of the folder and the checksum that it had when it was built."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str = Field(pattern=r"^(onnx/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$")  # publishers keep graphs in onnx/
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def verify(self, folder: Path) -> Path:
        """Return the file's path, or raise ValueError when its content is not what was built."""
        path = folder / self.file
        if not path.is_file():
            raise ValueError(f"{path} is missing: build the model again")
        if file_sha256(path) != self.sha256:
            raise ValueError(f"{path} does not have the checksum that {FILE_NAME} gives: build the model again")
        return path


class Manifest(BaseModel):
    """Everything a caller may rely on about a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    dimensions: int = Field(gt=0)
    max_tokens: int = Field(gt=0)
    pooling: str
    query_prompt: str
    passage_prompt: str
    shortest: int | None = Field(default=None, gt=0)  # the fewest leading dimensions that still make a vector
    tokenizer: ModelFile
    precisions: dict[Precision, ModelFile] = Field(min_length=1)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's model.json, or raise ValueError that says what to do."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ValueError(f"{path} is missing: build it with `python -m coderag_embedding.build --out {folder.parent}`")
    return Manifest.model_validate_json(path.read_bytes())
