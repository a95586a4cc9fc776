"""The drawn plan: the same bytes every time, well formed, and as long as the memory that it shows."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from coderag_operator.vram.bar import BAR, LEFT, SHADES, THICK, to_svg
from coderag_operator.vram.planner import Plan
from tests.support.vram_plans import make_plan

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(plan: Plan) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(plan))


def parts(plan: Plan) -> list[tuple[str, float, float]]:
    """Return colour, start and width of each part of the bar."""
    return [
        (one.attrib["fill"], float(one.attrib["x"]), float(one.attrib["width"]))
        for one in drawn(plan).iter(f"{NAMESPACE}rect")
        if one.attrib["height"] == str(THICK)
    ]


def budget_line(plan: Plan) -> float:
    path = next(drawn(plan).iter(f"{NAMESPACE}path"))
    return float(path.attrib["d"][1:].split()[0])


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert to_svg(make_plan()) == to_svg(make_plan())


def test_each_term_of_each_server_is_a_part_and_they_follow_one_another() -> None:
    found = parts(make_plan())
    assert [colour for colour, _, _ in found] == [*SHADES["chat"], *SHADES["code"]]
    for (_, start, width), (_, following, _) in pairwise(found):
        assert start + width == pytest.approx(following, abs=0.2)


@pytest.mark.parametrize("budget", [24000, 7400, 5373])
def test_a_plan_that_fits_ends_before_its_budget(budget: int) -> None:
    plan = make_plan(budget)
    _, start, width = parts(plan)[-1]
    assert start + width <= budget_line(plan) + 0.2
    assert budget_line(plan) == pytest.approx(LEFT + BAR)


def test_a_plan_that_does_not_fit_passes_its_budget() -> None:
    plan = make_plan(gpu_layers="All")
    _, start, width = parts(plan)[-1]
    assert start + width == pytest.approx(LEFT + BAR, abs=0.2)
    assert start + width > budget_line(plan)


@pytest.mark.parametrize(("budget", "side"), [(500, "start"), (5373, "end")])
def test_the_words_beside_the_budget_stay_inside_of_the_picture(budget: int, side: str) -> None:
    assert f'text-anchor="{side}"' in to_svg(make_plan(budget))


def test_the_title_says_in_words_what_is_drawn() -> None:
    plan = make_plan(gpu_layers="All")
    title = drawn(plan).findtext(f"{NAMESPACE}title")
    assert title == f"GPU memory: {plan.total_mib:.1f} MiB do not fit in 5373 MiB (layers: chat 37/37, code 29/29)"
    assert " MiB fit in 24000 MiB (" in to_svg(make_plan(24000))


def test_one_model_alone_is_drawn_alone() -> None:
    assert [colour for colour, _, _ in parts(make_plan(roles=("code",)))] == list(SHADES["code"])
