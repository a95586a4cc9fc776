"""Which files of a repository are wanted."""

import pytest
from coderag_rag.git.repository import TreeFile
from coderag_rag.ingestion.selection import select_files, words
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted
from coderag_rag.store.schema import Skipped
from hypothesis import given
from hypothesis import strategies as st

PATHS = st.from_regex(r"\A(?:src|docs|vendor|lib)(?:/[abc]){0,2}/[xyz]\.(?:py|md)\Z")


@pytest.mark.parametrize(
    ("wanted", "path", "reason"),
    [
        (Wanted(), "a/b.py", ""),
        (Wanted(paths=("src", "docs")), "src/a.py", ""),
        (Wanted(paths=("src",)), "src", ""),
        (Wanted(paths=("src",)), "srcs/a.py", "outside of the chosen paths"),
        (Wanted(include=("**/*.py",)), "a.py", ""),
        (Wanted(include=("*.py",)), "deep/down/a.py", ""),
        (Wanted(include=("**/*.py",)), "a.md", "not included by a pattern"),
        (Wanted(exclude=("vendor/**",)), "vendor/a/b.py", "excluded by a pattern"),
        (Wanted(exclude=("vendor",)), "src/vendor/b.py", "excluded by a pattern"),
        (Wanted(include=("**/*.py",), exclude=("src/**",)), "src/a.py", "excluded by a pattern"),
    ],
)
def test_paths_narrow_includes_choose_and_excludes_win(wanted, path, reason):
    assert wanted.leaves_out(path) == reason


@given(st.lists(PATHS, unique=True, max_size=12))
def test_every_file_is_taken_skipped_or_counted_as_not_wanted(paths):
    wanted = Wanted(paths=("src", "docs"), include=("**/*.py",), exclude=("src/a/**",))
    found = select_files([TreeFile(path, path, "100644", 5) for path in paths], wanted)
    taken = {path for names in found.paths_of.values() for path in names}
    assert len(taken) + len(found.skipped) + sum(found.unwanted.values()) == len(paths)
    assert all(path.endswith(".py") and not path.startswith(("src/a/", "lib", "vendor")) for path in taken)


def test_a_choice_has_a_name_of_its_own():
    assert EVERYTHING.key == ""
    keys = {Wanted(paths=("a",)).key, Wanted(include=("a",)).key, Wanted(exclude=("a",)).key}
    assert len(keys) == 3


def test_reasons_are_counted_by_what_they_have_in_common():
    assert words(Skipped("a", "larger than 1024 KiB (3000 KiB)")) == ("larger than 1024 KiB",)
    assert words(Skipped("a", "submodule: add it as a repository of its own")) == ("submodule",)
    assert words(Skipped("a", "whatever", causes=("timeout", "data"))) == ("timeout", "data")
