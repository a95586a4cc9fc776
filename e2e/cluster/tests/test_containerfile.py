"""What an image is made of."""

from pathlib import Path

import pytest

from e2e.cluster.containerfile import content_hash, files, sources

TEXT = """\
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS build
# COPY not/this /x
COPY requirements/rag.txt images/rag/pyproject.toml \\
     /src/
COPY --chown=1:1 images/rag/coderag_rag /src/coderag_rag
ADD https://example.com/x.tar /x
FROM ${BASE_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY ["images/rag/a file.txt", "/x"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name in (
        "requirements/rag.txt",
        "images/rag/pyproject.toml",
        "images/rag/coderag_rag/a.py",
        "images/rag/a file.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "Containerfile").write_text(TEXT)
    return tmp_path


def digest(context: Path, *inputs: str) -> str:
    return content_hash(context / "Containerfile", context, inputs)


def test_only_what_comes_from_the_context_is_a_source() -> None:
    assert sources(TEXT) == [
        "requirements/rag.txt", "images/rag/pyproject.toml", "images/rag/coderag_rag", "images/rag/a file.txt",
    ]  # fmt: skip


def test_the_same_content_is_the_same_image(context: Path) -> None:
    assert digest(context, "base") == digest(context, "base")


@pytest.mark.parametrize(
    "name", ["requirements/rag.txt", "images/rag/coderag_rag/a.py", "images/rag/a file.txt", "Containerfile"]
)
def test_a_changed_source_is_another_image(context: Path, name: str) -> None:
    before = digest(context)
    with (context / name).open("a") as file:
        file.write("# more")
    assert digest(context) != before


def test_a_file_made_executable_is_another_image(context: Path) -> None:
    before = digest(context)
    (context / "requirements/rag.txt").chmod(0o755)
    assert digest(context) != before


def test_another_base_is_another_image(context: Path) -> None:
    assert digest(context, "one") != digest(context, "two")


def test_a_renamed_file_is_another_image(context: Path) -> None:
    before = digest(context)
    (context / "images/rag/coderag_rag/a.py").rename(context / "images/rag/coderag_rag/b.py")
    assert digest(context) != before


def test_caches_and_files_outside_the_sources_change_nothing(context: Path) -> None:
    before = digest(context)
    (context / "README.md").write_text("x")
    cached = context / "images/rag/coderag_rag/__pycache__"
    cached.mkdir()
    (cached / "a.pyc").write_text("x")
    assert digest(context) == before


def test_a_pattern_stands_for_its_matches(context: Path) -> None:
    assert [path.name for path in files(context, "images/rag/*.toml")] == ["pyproject.toml"]
    assert len(files(context, ".")) == 5
