"""Markdown: which rows are headings and which only look like it."""

from coderag_rag.chunking.lines import Lines
from coderag_rag.chunking.markdown import find_sections


def sections(text):
    return [(section.qualified, section.first_row) for section in find_sections(Lines(text))]


def test_underlined_titles_are_headings():
    assert sections("Guide\n=====\n\nInstall\n---\nwords\n") == [("Guide", 0), ("Guide > Install", 3)]


def test_a_rule_below_a_paragraph_list_or_blank_row_is_no_heading():
    assert sections("words\n\n---\n- item\n---\n> quote\n---\n    code\n---\n") == []


def test_settings_at_the_top_are_no_heading():
    assert sections("---\ntitle: x\n# note\n---\n# Real\n") == [("Real", 4)]
    assert sections("---\n# Real\n") == [("Real", 1)]
    assert sections("") == []


def test_a_byte_order_mark_does_not_hide_a_heading():
    assert sections("\ufeff# Title\n") == [("Title", 0)]
    assert sections("\ufeffTitle\n===\n") == [("Title", 0)]


def test_a_fence_is_closed_by_its_own_kind_only():
    assert sections("~~~\n```\n# no\n~~~\n# yes\n") == [("yes", 4)]


def test_an_endless_row_is_no_heading():
    assert sections("# " + " a" * 100_000 + "\n# short\n") == [("short", 1)]
