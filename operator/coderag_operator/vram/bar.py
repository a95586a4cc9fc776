"""A plan as one bar in SVG: every term of every server, one after the other, against the budget.

The same plan gives the same bytes: no time, no identifiers, every number with one decimal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from coderag_operator.vram.answer import TERMS, term_mib
from coderag_operator.vram.planner import Plan

WIDTH, HEIGHT, LEFT, BAR = 860, 170, 20, 820
TOP, THICK, LEGEND, LINE = 44, 46, 124, 22
COLUMN = BAR / (len(TERMS) + 1)  # of the legend: a sum, then the terms
SHADES = {
    "chat": ("#08519c", "#3182bd", "#6baed6", "#bdd7e7"),
    "code": ("#a63603", "#e6550d", "#fd8d3c", "#fdbe85"),
}
RED, INK = "#c00000", "#222222"


@dataclass(frozen=True, slots=True)
class _Part:
    role: str
    term: str
    mib: float
    start: float
    colour: str


def to_svg(plan: Plan) -> str:
    """Return the plan as an SVG document."""
    return "\n".join(["".join(_open(plan)), *_bar(plan), *_budget(plan), *_legend(plan), "</svg>"]) + "\n"


def _open(plan: Plan) -> Iterator[str]:
    title = escape(_title(plan))
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
    yield f'role="img" font-family="sans-serif" font-size="13" fill="{INK}"><title>{title}</title>'
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _text(LEFT, 24, title, 'font-weight="bold" font-size="15"')


def _title(plan: Plan) -> str:
    layers = ", ".join(
        f"{role} {model.shape.gpu_layers}/{model.wish.all_layers}" for role, model in plan.models.items()
    )
    verdict = "fit" if plan.fits else "do not fit"
    return f"GPU memory: {plan.total_mib:.1f} MiB {verdict} in {plan.limits.budget_mib} MiB (layers: {layers})"


def _bar(plan: Plan) -> Iterator[str]:
    """Yield the terms, one after the other."""
    scale = _scale(plan)
    for part in _parts(plan):
        yield _rectangle(LEFT + part.start * scale, TOP, part.mib * scale, THICK, part.colour)


def _budget(plan: Plan) -> Iterator[str]:
    """Yield the line that the bar must not pass."""
    place = LEFT + plan.limits.budget_mib * _scale(plan)
    bottom = TOP + THICK
    yield f'<path d="M{place:.1f} {TOP - 6}V{bottom + 6}" stroke="{RED}" stroke-width="2"/>'
    style = f'text-anchor="{"end" if place > WIDTH / 2 else "start"}" fill="{RED}"'
    yield _text(place, bottom + 20, f"budget {plan.limits.budget_mib} MiB", style)


def _legend(plan: Plan) -> Iterator[str]:
    """Yield a line for each server: its sum, and each of its terms beside the colour that it has in the bar."""
    bases = {role: LEGEND + row * LINE for row, role in enumerate(plan.models)}
    for role, model in plan.models.items():
        yield _text(LEFT, bases[role] + 11, f"{role} {model.estimate.total_mib:.1f} MiB", 'font-weight="bold"')
    for part in _parts(plan):
        left = LEFT + (TERMS.index(part.term) + 1) * COLUMN
        yield _rectangle(left, bases[part.role], 12, 12, part.colour)
        yield _text(left + 18, bases[part.role] + 11, f"{part.term} {part.mib:.1f}")


def _parts(plan: Plan) -> Iterator[_Part]:
    start = 0.0
    for role, model in plan.models.items():
        for term, colour in zip(TERMS, SHADES[role], strict=True):
            mib = term_mib(model.estimate, term)
            yield _Part(role, term, mib, start, colour)
            start += mib


def _scale(plan: Plan) -> float:
    """Return the width of a MiB."""
    return BAR / max(plan.total_mib, plan.limits.budget_mib)


def _rectangle(left: float, top: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" fill="{colour}"/>'


def _text(left: float, base: float, text: str, style: str = "") -> str:
    return f'<text x="{left:.1f}" y="{base}"{f" {style}" if style else ""}>{text}</text>'
