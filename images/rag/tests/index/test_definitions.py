"""What is known about a definition: its kind, the line that introduces it, its first words."""

from coderag_rag.chunking.splitter import split_text


def only(text, language):
    return split_text(text, language).chunks[0].definitions


def test_a_docstring_gives_the_summary():
    text = 'async def load(path: str) -> bytes:\n    r"""\n    Read the file.\n\n    More.\n    """\n'
    [found] = only(text, "python")
    assert (found.kind, found.summary) == ("function", "Read the file.")
    assert found.signature == "async def load(path: str) -> bytes"


def test_a_one_line_docstring_keeps_its_first_letter():
    [found] = only('def f():\n    "Return it."\n', "python")
    assert found.summary == "Return it."


def test_comments_above_give_the_summary_in_other_languages():
    text = "package p\n\n// Get returns one.\n// It may block.\nfunc Get() int { return 1 }\n"
    [found] = only(text, "go")
    assert found.summary == "Get returns one."


def test_a_comment_further_up_belongs_to_something_else():
    [found] = only("// about the file\n\n\nfunction go() {}\n", "javascript")
    assert found.summary == ""


def test_exported_and_decorated_definitions_find_their_comment():
    [found] = only("/** Opens it. */\nexport function open() {}\n", "typescript")
    assert found.summary == "Opens it."


def test_methods_are_told_from_functions():
    python = only("class A:\n    @property\n    def b(self): ...\n\ndef c(): ...\n", "python")
    assert [d.kind for d in python] == ["class", "method", "function"]
    rust = only("impl Show for Ring<u8> {\n    fn show(&self) {}\n}\n", "rust")
    assert [(d.kind, d.qualified) for d in rust] == [("method", "Ring.show")]


def test_local_names_and_forward_declarations_are_no_definitions():
    assert only("struct later;\nstruct later make(struct later a);\n", "c") == ()
    assert [d.name for d in only("count = 1\nTotal = 2\n", "python")] == ["Total"]


def test_a_generic_receiver_is_named_by_its_type():
    [kind, method] = only("package p\ntype Set[T any] struct{}\nfunc (s *Set[T]) Add(v T) {}\n", "go")
    assert (kind.qualified, method.qualified) == ("Set", "Set.Add")
