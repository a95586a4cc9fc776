"""The plan for a terminal: columns under each other, sums, what is missing and what helps; colour only when asked."""

import re

import pytest
from coderag_operator.vram.table import GREEN, PLAIN, RED, to_table
from tests.support.vram_plans import make_plan


def test_every_cell_ends_where_its_column_does() -> None:
    lines = to_table(make_plan()).split("\n\n")[1].splitlines()
    ends = {tuple(match.end() for match in re.finditer(r"\S+(?: \S+)*", line))[1:] for line in lines[1:5]}
    assert len(ends) == 1
    chat, code = ends.pop()
    assert lines[0][chat - 4 : chat] == "chat"
    assert lines[0][code - 4 : code] == "code"
    for line in lines[5:9]:
        assert re.fullmatch(r"\w+ MiB +[\d.]+ +[\d.]+ +[\d.]+", line)
        assert len(line) == len(lines[0])


def test_a_plan_that_fits_says_what_is_left_and_what_full_offload_would_take() -> None:
    plan = make_plan()
    text = to_table(plan)
    assert text.startswith(f"Fits: {plan.total_mib:.1f} of 5373 MiB, {plan.headroom_mib:.1f} MiB are left.\n")
    assert re.search(r"all layers, as asked MiB +[\d.]+ +[\d.]+ +72[\d.]+\n", text)
    assert "Rule of the server's build: output-first, rows per slot.\n" in text
    assert "Given up so that it fits:\n  - chat and code: KV cache in q8_0, not f16\n" in text
    assert "Missing" not in text


def test_a_plan_that_gives_nothing_up_does_not_speak_of_it() -> None:
    assert "iven up" not in to_table(make_plan(24000))


def test_a_refusal_says_what_is_missing_for_what_and_what_would_do() -> None:
    plan = make_plan(gpu_layers="All")
    assert plan.refusal
    text = to_table(plan)
    assert text.startswith(f"Does not fit: {plan.refusal.deficit_mib:.1f} MiB are missing at the least.\n")
    assert re.search(r"Missing: .*[\d.]+ MiB for weights of code; [\d.]+ MiB for compute of code; ", text)
    assert " 0.0 MiB for" not in text
    assert "Does not fit even so:\n" in text
    assert re.search(r"\nWeights alone take 6002.\d MiB; KV cache, compute .* take [\d.]+ more\.\n", text)
    changes = text.split("the cheapest first:\n")[1].splitlines()
    assert changes == [f"  - {change.text}" for change in plan.refusal.changes]


def test_the_limit_of_each_server_stands_in_its_column() -> None:
    assert re.search(r"budget MiB +3000.0 +3000.0 +5373.0\n", to_table(make_plan(per_server_mib=3000)))


def test_one_model_alone_has_one_column() -> None:
    assert to_table(make_plan(roles=("chat",))).split("\n\n")[1].split()[:2] == ["chat", "sum"]


@pytest.mark.parametrize(("budget", "colour"), [(24000, GREEN), (500, RED)])
def test_colour_says_whether_it_fits_and_stays_on_the_first_line(budget: int, colour: str) -> None:
    plain, painted = to_table(make_plan(budget)), to_table(make_plan(budget), colour=True)
    first, rest = painted.split("\n", 1)
    assert (first[: len(colour)], first[-len(PLAIN) :]) == (colour, PLAIN)
    assert plain == first[len(colour) : -len(PLAIN)] + "\n" + rest
    assert "\033" not in plain
