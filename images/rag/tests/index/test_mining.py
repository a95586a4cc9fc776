"""Queries with known answers from what a repository says about itself."""

import pytest
from coderag_rag.chunking.document import prepare_document
from coderag_rag.git.errors import GitError
from coderag_rag.git.history import Change, parse_log
from coderag_rag.ingestion.mining import from_commits, from_document

BLOBS = {"src/retry.py": "r", "src/billing.py": "b", "docs/guide.md": "g"}


def mined(subject, *paths):
    return [(query.text, set(query.blobs)) for query in from_commits([Change(subject, paths)], BLOBS)]


@pytest.mark.parametrize(
    ("subject", "paths", "found"),
    [
        ("Wait longer between two calls", ("src/retry.py",), [("Wait longer between two calls", {"r"})]),
        ("fix(api)!: wait longer between calls (#12)", ("src/retry.py",), [("wait longer between calls", {"r"})]),
        ("Tax invoices in two steps", ("src/billing.py", "gone.py"), [("Tax invoices in two steps", {"b"})]),
        ("Tax invoices in two steps", ("gone.py",), []),
        ("Make retry wait for longer", ("src/retry.py",), []),
        ("Update src/billing.py with new taxes", ("src/billing.py",), []),
        ("Too short", ("src/retry.py",), []),
        ("Merge branch main into other things", ("src/retry.py",), []),
        ("Bump the version of all packages", ("src/retry.py",), []),
        ("Touch everything that there is", (*(f"{n}.py" for n in range(9)), "src/retry.py"), []),
    ],
)
def test_only_telling_subjects_that_name_no_file_become_queries(subject, paths, found):
    assert mined(subject, *paths) == found


def test_the_log_is_read_with_odd_paths_and_without_the_edge_of_history():
    output = b"\x01p1\x02First: line\x02\0\na b.py\0\xea\xb0\x80.py\0\x01\x02The edge\x02\0\nall.py\0"
    assert parse_log(output) == [Change("First: line", ("a b.py", "가.py"))]
    assert parse_log(b"") == []


def test_the_documentation_of_a_function_leads_to_its_line():
    code = '''import time


def pause(attempt):
    """Seconds to sleep before a failed call is tried again."""
    return 2**attempt


class Billing:
    """Billing keeps the open invoices of a customer."""

    due = 30
'''
    found = from_document("b", prepare_document(code.encode(), ["a.py"]))
    assert [(query.text, query.line) for query in found] == [
        ("Seconds to sleep before a failed call is tried again.", 4)
    ]
    assert found[0].blobs == {"b"}
    assert from_document("b", prepare_document(b"# Title\n\nWords and more words here.\n", ["a.md"])) == []


@pytest.mark.slow
async def test_history_is_fetched_without_a_trace_and_only_from_remotes_that_give_it(bench):
    remote = bench.remote("app")
    remote.commit({"a.py": "1\n"}, "First words of the history")
    remote.commit({"a.py": "2\n", "sub/나.py": "x\n"}, "Second: more words")
    source = bench.source("app", remote)
    changes = await source.repository.history("main", 10)
    assert changes == [Change("Second: more words", ("a.py", "sub/나.py"))]
    assert list((bench.folder / "work").iterdir()) == []
    remote.path.rename(remote.path.with_name("away"))
    with pytest.raises(GitError):
        await source.repository.history("main", 10)
