"""Plans for real cards and models, word for word; the drawing and the table in docs/ are written here, too.

After a change on purpose: `pytest operator/tests/golden --update-golden`. What a formula has left behind fails.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from coderag_operator.vram.bar import to_svg
from coderag_operator.vram.budget import labelled
from coderag_operator.vram.builds import rule_of
from coderag_operator.vram.planner import plan_memory
from tests.vram_scenarios import CARDS, MODELS, answers, question, scenarios, table

FOLDER = Path(__file__).parent / "vram"
DOCS = Path(__file__).parents[3] / "docs"
BEGIN, END = "<!-- scenarios: written by `pytest operator/tests/golden --update-golden` -->\n", "<!-- end -->\n"

Check = Callable[[Path, str], None]


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    """Compare a file with what it must be, or write it."""

    def compare(path: Path, found: str) -> None:
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(found, encoding="utf-8")
        assert found == path.read_text(encoding="utf-8")

    return compare


def test_every_card_has_the_answer_that_it_had(check: Check) -> None:
    check(FOLDER / "scenarios.md", table())


def test_three_b_and_seven_b_with_20_layers_in_6_gb_has_the_answer_that_it_had(check: Check) -> None:
    check(FOLDER / "question.md", "\n".join(answers()))


def test_the_drawing_in_the_documentation_is_that_of_a_6_gb_card(check: Check) -> None:
    plan = plan_memory(MODELS["3B + 7B"], labelled(CARDS["6 GB"]).mib, rule_of(None))
    check(DOCS / "vram-plan.svg", to_svg(plan))


def test_the_table_in_the_documentation_is_that_of_the_newest_builds(check: Check) -> None:
    path = DOCS / "vram-plan.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    check(path, f"{before}{BEGIN}{table('since June 2026')}{END}{after}")


@pytest.mark.parametrize(
    ("build", "published"), [(7000, 6163), (9000, 6066), (None, 5688)], ids=["before Dec 2025", "before June", "since"]
)
def test_the_question_takes_what_the_study_found_and_does_not_fit_a_6_gb_card(
    build: int | None, published: int
) -> None:
    plan = question(build, labelled(CARDS["6 GB"]).mib, 160)
    assert plan.total_mib == pytest.approx(published, rel=0.01)
    assert not plan.fits


def test_only_the_newest_builds_would_fit_what_a_6_gb_card_is_sold_as() -> None:
    assert [question(build, 6144).fits for build in (7000, 9000, None)] == [False, False, True]


def test_what_was_asked_for_is_weights_alone() -> None:
    assert question(7000, 6144).total_mib - 4508 > 1500  # 4.5 GB are the weights of the old placement, and nothing else


@pytest.mark.parametrize(
    ("models", "published"),
    [("7B + 7B", 9390), ("3B + 7B", 6918), ("3B alone", 2223), ("7B alone", 4695)],
)
def test_full_offload_takes_what_the_study_found(models: str, published: int) -> None:
    found = next(one.plan for one in scenarios() if (one.card, one.models) == ("24 GB", models) and one.build[0] == "s")
    contexts = (320 - 160) * len(found.models)  # the study counts 160 MiB for each process
    second_slot = sum(
        model.estimate.device[1].mib / 2 for model in found.models.values()
    )  # and one slot of 4096 tokens
    assert found.total_mib - contexts - second_slot == pytest.approx(published, rel=0.01)
