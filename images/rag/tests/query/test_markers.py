"""The marker filter: what a reader may see of an answer, however the text was cut."""

import re
from itertools import pairwise

import pytest
from coderag_rag.answer.markers import MarkerFilter
from hypothesis import example, given, settings
from hypothesis import strategies as st

VALID = {1, 2, 3}
MARKER = re.compile(r"\[ *([0-9]+(?: *[,;] *[0-9]+)*) *\]")
FEW = ["[", "]", "1", "2", "9", "01", ",", ";", " ", "`", "```", "~~~", "\n", "word", "[1]", "[9]", "py"]
MORE = ["-", "source ", "【", "】", "!", "(", ":", "<", "img", "^", "†", "[[", "]]"]
texts = st.lists(st.sampled_from([*FEW, *MORE]), max_size=24).map("".join)


def filtered(pieces, valid=VALID):
    machine = MarkerFilter(valid)
    shown = [machine.feed(piece) for piece in pieces]
    shown.append(machine.finish())
    return "".join(shown), machine.cited, machine.dropped


@pytest.mark.parametrize(
    ("text", "shown", "cited", "dropped"),
    [
        ("Here [1].", "Here [1].", [1], 0),
        ("Here [9].", "Here.", [], 1),
        ("[2] then [1] and [2].", "[2] then [1] and [2].", [2, 1], 0),
        ("Both [1, 2].", "Both [1, 2].", [1, 2], 0),
        ("Both [1, 9].", "Both [1].", [1], 1),
        ("Three [9; 3,2].", "Three [3][2].", [3, 2], 1),
        ("None [8,9].", "None.", [], 2),
        ("Padded [ 2 ] and [03].", "Padded [ 2 ] and [03].", [2, 3], 0),
        ("Zero [0].", "Zero.", [], 1),
        ("Huge [" + "9" * 5000 + "].", "Huge.", [], 1),
        ("Code `a[9]` stays.", "Code `a[9]` stays.", [], 0),
        ("Double ``a[9]`b[8]`` stays.", "Double ``a[9]`b[8]`` stays.", [], 0),
        ("One ` tick [9]\nnext [1]", "One ` tick\nnext [1]", [1], 1),
        ("```py\na[9]\n```\nafter [9] [1]", "```py\na[9]\n```\nafter [1]", [1], 1),
        ("  ~~~\na[9]\n  ~~~\n[1]", "  ~~~\na[9]\n  ~~~\n[1]", [1], 0),
        ("```\nopen to the end [9]", "```\nopen to the end [9]", [], 0),
        ("```inline``` [9]", "```inline```", [], 1),
        ("```", "```", [], 0),
        ("list[str] and [note] and []", "list[str] and [note] and []", [], 0),
        ("[1[9]2]", "[1[]2]", [], 1),
        ("[1\n]", "[1\n]", [], 0),
        ("trailing [1", "trailing [1", [], 0),
        ("두 번째 [2] 그리고 [7]", "두 번째 [2] 그리고", [2], 1),
        ("", "", [], 0),
        ("See [Source 2] and [source: 9].", "See [2] and.", [2], 1),
        ("Range [1-3], [2–9] and [8-9].", "Range [1][2][3], [2][3] and.", [1, 2, 3], 2),
        ("Down [3-1] to [1 to 2].", "Down [1][2][3] to [1][2].", [1, 2, 3], 0),
        ("Class [0-9]+ stays", "Class [0-9]+ stays", [], 0),
        ("[^1] and [[2]] and 【3†a.py】 and ［9］", "[1] and [2] and [3] and", [1, 2, 3], 1),
        ("[1 and 2] [출처 3, 출처 9]", "[1][2] [3]", [1, 2, 3], 1),
        ("[[9]] [[1] [9]]", " [[1]]", [1], 2),
        ("[[9] a", "[[] a", [], 1),
        ("[①] [²]", "[①] [²]", [], 0),
        ("[٣] [９]", "[3]", [3], 1),
        ("[2](http://evil.example)", "[2] (http://evil.example)", [2], 0),
        ("[2] [9](http://evil.example)", "[2] (http://evil.example)", [2], 1),
        ("[2][evil] [2][3]", "[2] [evil] [2][3]", [2, 3], 0),
        ("a [2]: b\n[2]: http://evil.example", "a [2]: b\n[2] : http://evil.example", [2], 0),
        ("![x](http://e) ! [9][y](u)", "! [x] (http://e) ! [y] (u)", [], 1),
        ("[docs](http://e) [a][b]", "[docs] (http://e) [a] [b]", [], 0),
        ("[9][z]: http://e\n  [z]: http://e\nsee [z]: x", "[z] : http://e\n  [z] : http://e\nsee [z]: x", [], 1),
        ("Great![1] a![9][x]", "Great! [1] a! [x]", [1], 1),
        ("<img src=x> <IMAGE> </script> a<b", "&lt;img src=x> &lt;IMAGE> &lt;/script> a<b", [], 0),
        ("<[9]img src=x>", "<[]img src=x>", [], 1),
        ("`<img>` List<String> <p>", "`<img>` List<String> <p>", [], 0),
        ("[" + "x" * 100 + "] [see", "[" + "x" * 100 + "] [see", [], 0),
    ],
)  # fmt: skip
def test_markers_are_judged(text, shown, cited, dropped):
    assert filtered([text]) == (shown, cited, dropped)


@given(texts, st.data())
@example("``[9]`x``", None)
@example("```\n[9]\n```\n[9]", None)
@settings(max_examples=200)
def test_the_result_does_not_depend_on_how_the_text_was_cut(text, data):
    whole = filtered([text])
    assert filtered(list(text)) == whole
    if data is not None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
        edges = [0, *cuts, len(text)]
        assert filtered([text[a:b] for a, b in pairwise(edges)]) == whole


@given(texts.map(lambda text: text.replace("`", "").replace("~", "")), st.sets(st.integers(0, 12), max_size=4))
@settings(max_examples=200)
def test_outside_code_no_invented_marker_is_ever_shown_or_cited(text, valid):
    shown, cited, _ = filtered([text], valid)
    assert set(cited) <= valid
    numbers = [int(number) for found in MARKER.findall(shown) for number in re.split("[,;]", found)]
    assert set(numbers) <= valid
    assert len(cited) == len(set(cited))


@given(st.lists(st.sampled_from([*FEW, "!", "(", ":"]), max_size=24).map("".join))
def test_nothing_but_markers_is_taken_out(text):
    shown, _, dropped = filtered([text])
    if not dropped:
        assert re.sub(r"[\[\] ,;0]", "", shown) == re.sub(r"[\[\] ,;0]", "", text)


def test_text_is_shown_as_soon_as_it_cannot_be_a_marker():
    machine = MarkerFilter({1})
    assert machine.feed("Hello") == "Hello"
    assert machine.feed(" [") == ""
    assert machine.feed("1") == ""
    assert machine.feed("]") == " [1]"
    assert machine.feed(" x") == " x"
