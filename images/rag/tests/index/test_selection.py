"""Lock files are told by what is in them where their name says nothing."""

from coderag_rag.chunking.selection import skip_by_content


def pins(count):
    return b"".join(b"package-%d==1.0 \\\n    --hash=sha256:%s\n" % (n, b"a" * 64) for n in range(count))


def test_a_requirements_file_full_of_hashes_is_a_lock_file():
    assert skip_by_content(pins(30)) == "lock file"


def test_a_few_pinned_requirements_are_worth_searching():
    assert skip_by_content(pins(3)) == ""
