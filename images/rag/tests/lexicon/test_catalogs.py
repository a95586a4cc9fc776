"""Strings in both languages, out of the catalogs in a wheel."""

import io
import json
import zipfile

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import write_po
from coderag_lexicon.catalogs import Pair, pairs_of


def catalog(*messages, fuzzy=()):
    made = Catalog(locale="ko", domain="django")
    for english, korean in messages:
        made.add(english, korean, flags={"fuzzy"} if english in fuzzy else ())
    return made


def as_po(made):
    written = io.BytesIO()
    write_po(written, made)
    return written.getvalue()


def as_mo(made):
    written = io.BytesIO()
    write_mo(written, made)
    return written.getvalue()


@pytest.fixture
def wheel(tmp_path):
    def make(files):
        path = tmp_path / "package-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
        return path

    return make


FOLDER = "package/locale/{}/LC_MESSAGES/django"


def test_gettext_catalogs_are_read_translated_or_not(wheel):
    made = catalog(("Delete the file", "파일 삭제"), ("Save", "Save"), ("Open", ""), ("Guess", "추측"), fuzzy={"Guess"})
    expected = {Pair("Delete the file", "파일 삭제")}
    assert pairs_of(wheel({FOLDER.format("ko") + ".po": as_po(made)})) == expected
    assert pairs_of(wheel({FOLDER.format("ko_KR") + ".mo": as_mo(made)})) == expected


def test_of_a_catalog_that_is_there_twice_the_compiled_one_is_read(wheel):
    files = {
        FOLDER.format("ko") + ".mo": as_mo(catalog(("new", "새"))),
        FOLDER.format("ko") + ".po": b"not a catalog [",
    }
    assert pairs_of(wheel(files)) == {Pair("new", "새")}


def test_of_a_plural_the_first_form_counts(wheel):
    made = catalog((("%d file", "%d files"), ("파일 %d개",)))
    assert pairs_of(wheel({FOLDER.format("ko") + ".po": as_po(made)})) == {Pair("%d file", "파일 %d개")}


def test_gettext_as_json_has_the_english_in_its_keys(wheel):
    file = "jupyterlab_ko/locale/ko_KR/LC_MESSAGES/lab.json"
    content = {"": {"domain": "lab"}, "menu\x04Close": ["닫기"], "Run": ["실행"], "New": "새", "Kernel": []}
    assert pairs_of(wheel({file: content})) == {Pair("Close", "닫기"), Pair("Run", "실행")}


def test_json_files_of_two_languages_are_laid_side_by_side(wheel):
    files = {
        "ui/locales/en/common.json": {"run": {"state": "State", "old": "Old"}, "list": ["One"]},
        "ui/locales/ko/common.json": {"run": {"state": "상태", "new": "새"}, "list": ["하나"]},
    }
    assert pairs_of(wheel(files)) == {Pair("State", "상태")}
    assert pairs_of(wheel({"ui/en.json": {"on": "On"}, "ui/ko.json": {"on": "켜짐"}})) == {Pair("On", "켜짐")}


def test_other_languages_and_other_files_are_left_alone(wheel):
    made = as_po(catalog(("Save", "저장")))
    files = {FOLDER.format("kok") + ".po": made, "package/ko/notes.txt": b"\xff", "package/korea.json": {"a": ["가"]}}
    assert pairs_of(wheel(files)) == set()


def test_json_of_another_form_holds_no_pairs(wheel):
    assert pairs_of(wheel({"package/ko.json": ["가"], "package/locale/ko.json": {"Save": "저장"}})) == set()


def test_a_catalog_that_is_broken_is_named(wheel):
    with pytest.raises(ValueError, match=r"package-1.*ko/broken\.json"):
        pairs_of(wheel({"package/ko/broken.json": b"{"}))
