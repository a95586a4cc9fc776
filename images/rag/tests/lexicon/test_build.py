"""From strings to a file of words."""

import re
import zipfile
from pathlib import Path

import pytest
from coderag_lexicon import build as building
from coderag_lexicon.build import LONGEST_STRING, SEEN, learn
from coderag_lexicon.catalogs import Pair
from coderag_rag.query.lexicon import Lexicon

SOURCES = Path(__file__).parents[4] / "requirements" / "rag-lexicon-sources.txt"
PAIRS = [
    *(Pair(f"Delete {name}", f"{korean}을 삭제합니다") for name, korean in (("images", "이미지"), ("volumes", "볼륨"))),
    *(Pair(f"Create {name}", f"{korean}을 생성합니다") for name, korean in (("images", "이미지"), ("volumes", "볼륨"))),
    *(Pair(f"Delete the %(count)d {name}", f"%(count)d개의 {korean} 삭제") for name, korean in (("keys", "키"),)),
    *(Pair(f"Create <b>{name}</b>", f"{korean} 생성") for name, korean in (("keys", "키"),)),
]


def test_words_are_learned_by_their_beginnings():
    words = learn(PAIRS * 3)
    assert {korean: words.get(korean) for korean in ("삭제", "생성")} == {"삭제": "delete", "생성": "create"}
    assert Lexicon(words).english("삭제하는 곳") == "delete"


def test_of_the_forms_of_a_word_the_usual_one_is_said():
    pairs = [Pair("validated", "검증"), Pair("validate it", "검증"), Pair("to validate", "검증"), Pair("stop", "중지")]
    assert learn(pairs)["검증"] == "validate"


def test_what_was_hardly_seen_and_what_is_uncertain_is_not_learned():
    assert learn([Pair(f"key {n}", "열쇠") for n in range(SEEN - 1)]) == {}
    many = [Pair(word, "무엇") for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]]
    assert "무엇" not in learn(many)


def test_neither_placeholders_nor_markup_nor_paragraphs_are_words():
    pairs = [Pair("%(name)s {value} <strong> &nbsp;", "이름")] * 9 + [Pair("word " * LONGEST_STRING, "이름")] * 9
    assert learn(pairs) == {}


def test_the_order_of_the_strings_changes_nothing():
    assert learn(PAIRS) == learn(PAIRS[::-1])


@pytest.fixture
def wheels(monkeypatch, tmp_path):
    def give(**texts):
        made = []
        for name, text in texts.items():
            made.append(tmp_path / f"{name}-1-py3-none-any.whl")
            with zipfile.ZipFile(made[-1], "w") as archive:
                archive.writestr(f"{name}/locale/ko/LC_MESSAGES/{name}.po", text)
        monkeypatch.setattr(building, "download", lambda _lock, _into: made)

    return give


def po(*pairs):
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return head + "\n".join(f'msgid "{english}"\nmsgstr "{korean}"\n' for english, korean in pairs)


def test_the_file_holds_what_all_packages_taught(wheels, tmp_path, capsys):
    wheels(one=po(("token", "토큰"), ("the token", "토큰을")), two=po(("a token", "토큰은"), ("old", "이전")))
    out = tmp_path / "made" / "korean.tsv"
    building.main(["--sources", str(SOURCES), "--out", str(out)])
    assert out.read_text(encoding="utf-8") == "토큰\ttoken\n"
    assert capsys.readouterr().out == "korean.tsv: 1 words, learned from 4 strings\n"


def test_a_package_without_korean_is_named(wheels, tmp_path):
    wheels(one=po(("token", "jeton")))
    with pytest.raises(ValueError, match=r"one-1-py3-none-any\.whl has no strings"):
        building.build(SOURCES, tmp_path / "korean.tsv")


def test_every_source_is_pinned_by_one_hash():
    text = SOURCES.read_text(encoding="utf-8")
    names = re.findall(r"^([a-z0-9-]+)==\S+ \\$", text, re.MULTILINE)
    assert len(names) == len(re.findall(r"--hash=sha256:[0-9a-f]{64}$", text, re.MULTILINE)) > 10
    assert names == sorted(names)
