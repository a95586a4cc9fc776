"""A plan as a table for a terminal: what each server takes, what is left or missing, and what would help."""

from collections.abc import Callable, Iterator

from coderag_operator.vram.answer import TERMS, given_up, host_mib, term_mib
from coderag_operator.vram.planner import ModelPlan, Plan

GREEN, RED, PLAIN = "\033[32m", "\033[31m", "\033[0m"
GAP = "   "

Row = tuple[str, list[str], str]  # a label, a cell for each model, a cell for all of them


def to_table(plan: Plan, *, colour: bool = False) -> str:
    """Return the plan as text, with colour only where it is asked for; it ends with a line break."""
    blocks = [_headline(plan, colour), "\n".join(_aligned(list(_rows(plan)))), "\n".join(_notes(plan))]
    return "\n\n".join(blocks) + "\n"


def _headline(plan: Plan, colour: bool) -> str:
    text = _verdict(plan)
    return f"{GREEN if plan.fits else RED}{text}{PLAIN}" if colour else text


def _verdict(plan: Plan) -> str:
    if plan.refusal is None:
        return f"Fits: {plan.total_mib:.1f} of {plan.limits.budget_mib} MiB, {plan.headroom_mib:.1f} MiB are left."
    return f"Does not fit: {plan.refusal.deficit_mib:.1f} MiB are missing at the least."


def _rows(plan: Plan) -> Iterator[Row]:
    """Yield the lines of the table; sums stand in the last column."""
    yield "", list(plan.models), "sum"
    yield _texts(plan, "layers on the GPU", lambda model: f"{model.shape.gpu_layers} of {model.wish.all_layers}")
    yield _texts(plan, "context x slots", lambda model: f"{model.shape.context_tokens} x {model.shape.slots}")
    yield _texts(plan, "KV cache", lambda model: model.shape.kv_type)
    yield _texts(plan, "batch (ubatch)", lambda model: str(model.shape.ubatch))
    for name in TERMS:
        yield _sizes(plan, f"{name} MiB", lambda model, name=name: term_mib(model.estimate, name))  # type: ignore[misc]
    yield _sizes(plan, "total MiB", lambda model: model.estimate.total_mib)
    yield "budget MiB", _parts(plan), f"{plan.limits.budget_mib:.1f}"
    yield "headroom MiB", [""] * len(plan.models), f"{plan.headroom_mib:.1f}"
    yield _sizes(plan, "host memory MiB", lambda model: host_mib(model.estimate))
    yield _sizes(plan, "all layers, as asked MiB", lambda model: model.in_full.total_mib)


def _texts(plan: Plan, label: str, of: Callable[[ModelPlan], str]) -> Row:
    return label, [of(model) for model in plan.models.values()], ""


def _sizes(plan: Plan, label: str, of: Callable[[ModelPlan], float]) -> Row:
    sizes = [of(model) for model in plan.models.values()]
    return label, [f"{size:.1f}" for size in sizes], f"{sum(sizes):.1f}"


def _parts(plan: Plan) -> list[str]:
    part = plan.limits.per_server_mib
    return [f"{part:.1f}" if part is not None else ""] * len(plan.models)


def _aligned(rows: list[Row]) -> Iterator[str]:
    """Yield the rows with labels to the left and everything else to the right."""
    lines = [[label, *cells, last] for label, cells, last in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for label, *cells in lines:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield GAP.join([label.ljust(widths[0]), *right]).rstrip()


def _notes(plan: Plan) -> Iterator[str]:
    """Yield what numbers do not say."""
    yield f"Rule of the server's build: {plan.rule.name}."
    yield from _losses(plan)
    if plan.refusal is None:
        return
    weights = sum(term_mib(model.estimate, TERMS[0]) for model in plan.models.values())
    rest = plan.total_mib - weights
    yield f"Weights alone take {weights:.1f} MiB; KV cache, compute buffers and CUDA contexts take {rest:.1f} more."
    missing = [one for one in plan.refusal.shortages if one.missing_mib > 0]
    yield f"Missing: {'; '.join(f'{one.missing_mib:.1f} MiB for {one.term} of {one.role}' for one in missing)}."
    yield "Any one of these makes it fit, the cheapest first:"
    yield from (f"  - {change.text}" for change in plan.refusal.changes)


def _losses(plan: Plan) -> Iterator[str]:
    lost = given_up(plan)
    if lost:
        yield "Given up so that it fits:" if plan.fits else "Does not fit even so:"
    yield from (f"  - {loss}" for loss in lost)
