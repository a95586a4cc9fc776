"""A plan as JSON: what `status.vramPlan` holds and `coderag plan --json` prints. Sizes are MiB with two decimals."""

import math
from typing import Any

from coderag_operator.vram.advice import Refusal
from coderag_operator.vram.estimate import Estimate
from coderag_operator.vram.planner import ModelPlan, Plan
from coderag_operator.vram.search import KV_TYPES, UBATCHES
from coderag_operator.vram.terms import Term

TERMS = ("weights", "kv", "compute", "overhead")


def to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON; without a limit of its own for each server, and when it fits, what tells is left out."""
    split = {} if plan.limits.per_server_mib is None else {"perServerMiB": plan.limits.per_server_mib}
    refusal = {} if plan.refusal is None else {"refusal": _refusal(plan.refusal)}
    return {
        "fits": plan.fits,
        "budgetMiB": plan.limits.budget_mib,
        **split,
        "totalMiB": _mib(plan.total_mib),
        "headroomMiB": _down(plan.headroom_mib),
        "fullOffloadMiB": _mib(sum(model.in_full.total_mib for model in plan.models.values())),
        "buildRule": plan.rule.name,
        "models": {role: _model(model) for role, model in plan.models.items()},
        "givenUp": given_up(plan),
        **refusal,
    }


def term_mib(found: Estimate, name: str) -> float:
    """Return what a term takes of the device in MiB."""
    return sum(term.mib for term in found.device if term.name == name)


def host_mib(found: Estimate) -> float:
    """Return what a server takes of the host's memory in MiB, weights that are mapped from the file included."""
    return sum(term.mib for term in found.host)


def given_up(plan: Plan) -> list[str]:
    """Return in words where the plan has less than was wished for, in the order in which it was given up."""
    losses: dict[str, list[str]] = {}
    for loss in (_precision, _batch, _context, _layers):
        for role, model in plan.models.items():
            text = loss(model)
            if text:
                losses.setdefault(text, []).append(role)
    return [f"{' and '.join(roles)}: {text}" for text, roles in losses.items()]


def _precision(model: ModelPlan) -> str:
    less = model.wish.kv_type == "Auto" and model.shape.kv_type != KV_TYPES[0]
    return f"KV cache in {model.shape.kv_type}, not {KV_TYPES[0]}" if less else ""


def _batch(model: ModelPlan) -> str:
    less = model.wish.ubatch is None and model.shape.ubatch != UBATCHES[0]
    return f"prompts in batches of {model.shape.ubatch} tokens, not {UBATCHES[0]}" if less else ""


def _context(model: ModelPlan) -> str:
    has, wished = model.shape.context_tokens, model.wish.context_tokens
    return f"a context of {has} tokens, not {wished}" if has < wished else ""


def _layers(model: ModelPlan) -> str:
    has, most = model.shape.gpu_layers, model.wish.all_layers
    return f"{has} of {most} layers on the GPU" if model.wish.given_layers is None and has < most else ""


def _model(model: ModelPlan) -> dict[str, Any]:
    shape, found = model.shape, model.estimate
    return {
        "gpuLayers": shape.gpu_layers,
        "layers": model.wish.all_layers,
        "contextTokens": shape.context_tokens,
        "slots": shape.slots,
        "kvType": shape.kv_type,
        "ubatch": shape.ubatch,
        **{f"{name}MiB": _mib(term_mib(found, name)) for name in TERMS},
        "totalMiB": _mib(found.total_mib),
        "fullOffloadMiB": _mib(model.in_full.total_mib),
        "hostMiB": _mib(host_mib(found)),
        "terms": [_term(term) for term in found.device],
        "hostTerms": [_term(term) for term in found.host],
    }


def _term(term: Term) -> dict[str, Any]:
    return {"name": term.name, "MiB": _mib(term.mib), "formula": term.formula}


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "deficitMiB": _up(refusal.deficit_mib),
        "cheapestChange": refusal.cheapest.text,
        "changes": [change.text for change in refusal.changes],
        "terms": [
            {"role": one.role, "name": one.term, "neededMiB": _mib(one.needed_mib), "missingMiB": _mib(one.missing_mib)}
            for one in refusal.shortages
        ],
    }


# Of what is left the smaller and of what is missing the larger figure is told: neither may read as nothing.
def _mib(size: float) -> float:
    return round(size, 2)


def _down(size: float) -> float:
    return math.floor(size * 100) / 100


def _up(size: float) -> float:
    return math.ceil(size * 100) / 100
