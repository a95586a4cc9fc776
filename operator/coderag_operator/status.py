"""The whole status of a stack as one value. Pure; compared with what is there and written once, only if it differs."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from coderag_operator.observed.index import IDLE, Index, Promotion, Ref, Repository
from coderag_operator.observed.outlook import Outlook
from coderag_operator.observed.roles import RoleState, Rollout
from coderag_operator.observed.serverlog import Buffers
from coderag_operator.observed.view import ROLES, View
from coderag_operator.vram.answer import to_json

COMMIT_LENGTH = 7
GIB = 1024  # MiB
LISTS = ("conditions", "roles", "repositories")


def build_status(
    view: View, conditions: list[dict[str, Any]], before: Mapping[str, Any], endpoints: Mapping[str, str], now: str
) -> dict[str, Any]:
    """Return the status: conditions, summary, roles, repositories and endpoints."""
    repositories = list_repositories(view, before)
    status = {
        "observedGeneration": view.generation,
        "conditions": conditions,
        "summary": {
            "serving": summarize_serving(view),
            "vram": summarize_memory(view.outlook),
            "indexed": summarize_index(view, repositories),
        },
        "roles": [build_role(view, role, before, now) for role in ROLES],
        "repositories": repositories,
        "index": build_index(view, before),
        "evaluation": build_evaluation(view, before),
        "vramPlan": build_plan(view, before),
        "vramMeasured": build_measured(view),
        "endpoints": dict(endpoints) or before.get("endpoints"),
    }
    return {name: value for name, value in status.items() if value not in (None, [])}


def differs(status: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Tell whether a status says anything else than the one before; the API server fills absent lists in."""
    return fill(status) != fill(before)


def fill(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return a status as the API server stores it."""
    return {**{name: [] for name in LISTS}, **status}


def summarize_serving(view: View) -> str:
    """Return who answers for each role: chat=chat,code=external; a dash where nobody does."""
    return ",".join(f"{role}={name_server(view, role) or '-'}" for role in ROLES)


def name_server(view: View, role: str) -> str:
    """Return what answers for a role: a component, or external."""
    active = view.active(role) if view.serving("gateway") else ""
    return "external" if active in view.external else active


def summarize_memory(outlook: Outlook) -> str:
    """Return what the plan takes of the budget, 5.1/5.5Gi; the refusal's reason, or a dash where nothing is planned."""
    if outlook.blocked and not outlook.pending:
        return outlook.reason
    if outlook.plan is None:
        return "-"
    return f"{outlook.plan.total_mib / GIB:.1f}/{outlook.plan.limits.budget_mib / GIB:.1f}Gi"


def build_plan(view: View, before: Mapping[str, Any]) -> Any:
    """Return the plan with where its budget comes from; while the spec is invalid the one before stays."""
    if view.invalid:
        return before.get("vramPlan")
    plan = view.outlook.plan
    if plan is None:
        return None
    sharing = view.outlook.sharing
    where = {"sharing": sharing.mode, "sharingReason": sharing.reason, "budgetSource": view.outlook.budget_source}
    return {**to_json(plan), **where}


def build_measured(view: View) -> dict[str, Any] | None:
    """Return what the servers said of their own buffers, by role."""
    found = {role: build_buffers(one.buffers) for role, one in sorted(view.measured.items()) if one.buffers}
    return found or None


def build_buffers(buffers: Buffers) -> dict[str, Any]:
    """Return one server's buffers."""
    return {
        "gpuLayers": buffers.offloaded, "layers": buffers.layers, "weightsMiB": buffers.weights, "kvMiB": buffers.kv,
        "computeMiB": buffers.compute, "totalMiB": round(buffers.device, 2), "hostMiB": buffers.host,
    }  # fmt: skip


def summarize_index(view: View, repositories: list[dict[str, Any]]) -> str:
    """Return the served commit of the only repository, or how many of several are served."""
    served = [one["commit"] for one in repositories if one.get("commit")]
    total = max(len(view.repositories), len(repositories))
    if total == 1 and served:
        return str(served[0])[:COMMIT_LENGTH]
    return f"{len(served)}/{total}" if total else "-"


def build_role(view: View, role: str, before: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Return who answers for a role, since when and why, and how far a rollout of its server is."""
    old: Mapping[str, Any] = next((one for one in before.get("roles") or () if one["role"] == role), {})
    active = name_server(view, role) or "none"
    same = old.get("active") == active
    state = view.roles.get(role, RoleState())
    found = {
        "role": role,
        "active": active,
        "since": old.get("since", now) if same else now,
        "from": old.get("from") if same else old.get("active"),
        "reason": give_reason(role, active, state),
        "flaps": len(state.failovers),
        "rollout": state.rollout and build_rollout(state.rollout),
    }
    return {name: value for name, value in found.items() if value}


def give_reason(role: str, active: str, state: RoleState) -> str:
    """Return in one word why this model answers for a role."""
    if active in (role, "external"):
        return "Own"
    return "NotServed" if active == "none" else state.reason or "StandIn"


def build_rollout(rollout: Rollout) -> dict[str, Any]:
    """Return how far the rollout of a role is."""
    return {
        "step": rollout.step,
        "since": format_time(rollout.since),
        **({"message": rollout.message} if rollout.message else {}),
    }


def format_time(moment: float) -> str:
    """Return a time in seconds of the epoch as the API server takes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_repositories(view: View, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the repositories as last reported; those of the spec that nobody reported yet are pending."""
    if view.invalid or view.index is None or not view.index.reachable:
        found = {one["name"]: dict(one) for one in before.get("repositories") or ()}
    else:
        found = {one.name: build_repository(one) for one in view.index.repositories}
    wanted = sorted(found if view.invalid else view.repositories)
    return [found.get(name, {"name": name, "state": "Pending"}) for name in wanted]


def build_repository(one: Repository) -> dict[str, Any]:
    """Return one repository of the status; what is empty is left out."""
    entry = {
        "name": one.name, "ref": one.ref, "state": one.state, "commit": one.commit, "indexedAt": one.indexed_at,
        "files": one.files, "chunks": one.chunks, "skipped": one.skipped, "message": one.message,
        "refs": [build_ref(ref) for ref in one.refs],
    }  # fmt: skip
    return known(entry)


def build_evaluation(view: View, before: Mapping[str, Any]) -> Any:
    """Return what the last evaluation found."""
    if view.invalid:
        return before.get("evaluation")
    one = view.evaluation
    if one is None:
        return None
    entry = {"finishedAt": format_time(one.finished_at), "passed": one.passed}
    if one.message:
        return entry | {"message": one.message}
    return entry | {
        "questions": one.questions, "failed": one.failed,
        "gates": [{"gate": gate, "passed": passed} for gate, passed in one.gates],
        "figures": [asdict(each) for each in one.figures],
    }  # fmt: skip


def build_ref(one: Ref) -> dict[str, Any]:
    """Return one more ref of a repository."""
    return known({
        "ref": one.ref, "state": one.state, "commit": one.commit, "indexedAt": one.indexed_at, "message": one.message,
    })  # fmt: skip


def build_index(view: View, before: Mapping[str, Any]) -> Any:
    """Return what the index that answers was built with, and how a change of the model stands."""
    if view.invalid or view.index is None or not view.index.reachable:
        return before.get("index")
    return describe_index(view.index) or None


def describe_index(index: Index) -> dict[str, Any]:
    """Return the index of a report."""
    return known({"model": index.served.model, "promotion": build_promotion(index.promotion)})


def build_promotion(one: Promotion) -> dict[str, Any]:
    """Return how a change of the model stands; nothing while nobody changes it."""
    if one.state in ("", IDLE):
        return {}
    return known({
        "state": one.state, "from": one.from_, "to": one.to, "queries": one.queries, "reason": one.reason,
        "since": one.since,
    }) | {
        name: value
        for name, value in (("ndcgChange", one.ndcg_change), ("upper95", one.upper95))
        if value is not None
    }  # fmt: skip


def known(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without what is not known."""
    return {name: value for name, value in entry.items() if value not in ("", 0, [], {})}
