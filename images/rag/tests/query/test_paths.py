"""Path patterns, kinds of files, and the choice among places."""

import pytest
from coderag_rag.keyword import tokens
from coderag_rag.query.globs import path_matcher
from coderag_rag.query.manifest import Place
from coderag_rag.query.places import best_place, is_changelog, is_generated, is_test, is_vendored


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("src/**/*.py", "src/a/b.py", True),
        ("src/**/*.py", "src/b.py", True),
        ("src/*.py", "src/a/b.py", False),
        ("src/*.py", "lib/src/b.py", False),
        ("*.py", "deep/down/b.py", True),
        ("b.p?", "deep/b.py", True),
        ("src", "src/a/b.py", True),
        ("src/a/", "src/a/b.py", True),
        ("./src/a", "src/a/b.py", True),
        ("/b.py", "deep/b.py", False),
        ("a+b.py", "a+b.py", True),
        ("a+b.py", "aab.py", False),
        ("**", "anything/at/all", True),
    ],
)
def test_a_pattern_matches_as_readers_of_gitignore_expect(pattern, path, matches):
    assert path_matcher([pattern])(path) is matches


def test_any_of_several_patterns_is_enough_and_none_means_all():
    assert path_matcher(["*.go", "*.py"])("a.py")
    assert path_matcher([])("a.py")


@pytest.mark.parametrize(
    "path", ["tests/a.py", "x/test_a.py", "a_test.go", "src/a.spec.ts", "QueueTest.java", "conftest.py"]
)
def test_tests_are_recognised(path):
    assert is_test(path)


@pytest.mark.parametrize("path", ["src/attest.py", "latest/a.py", "contest.py", "src/queue.py"])
def test_other_files_are_no_tests(path):
    assert not is_test(path)


def test_vendored_and_generated_files_are_recognised():
    assert is_vendored("vendor/a/b.go")
    assert not is_vendored("src/vendors.py")
    assert is_generated("api/x.pb.go")
    assert is_generated("package-lock.json")
    assert not is_generated("src/generator.py")


@pytest.mark.parametrize(
    "path",
    ["CHANGELOG.md", "CHANGES.rst", "docs/release-notes.md", "History", "docs/releases/4.2.txt", "newsfragments/12.md"],
)
def test_lists_of_past_changes_are_recognised(path):
    assert is_changelog(path)


@pytest.mark.parametrize("path", ["src/history.py", "docs/changing.md", "news/reader.py", "releases/build.sh"])
def test_other_files_are_no_lists_of_past_changes(path):
    assert not is_changelog(path)


def place(path, repository="app"):
    return Place(repository, "main", "c", path)


def test_the_place_whose_path_the_query_speaks_of_is_shown():
    chosen, others = best_place([place("a/util.py"), place("queue/retry.py")], frozenset(tokens("retry queue")))
    assert chosen.path == "queue/retry.py"
    assert [other.path for other in others] == ["a/util.py"]


def test_without_a_hint_the_plainest_place_is_shown():
    chosen, _ = best_place([place("tests/a.py"), place("deep/er/a.py"), place("src/a.py")], frozenset())
    assert chosen.path == "src/a.py"
