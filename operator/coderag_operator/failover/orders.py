"""Orders carried into the desired state: a Deployment that is paused, or kept at the template before."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coderag_operator.desired import Desired, Frozen
from coderag_operator.desired.names import REVISION_ANNOTATION
from coderag_operator.failover.rollout import Order
from coderag_operator.observed.roles import RoleState

Template = Mapping[str, Any]
HASH_LABEL = "pod-template-hash"
COMPONENT = "app.kubernetes.io/component"


def read_revisions(desired: Desired, roles: Mapping[str, object]) -> dict[str, str]:
    """Return the revision of the template that is wanted for each role, as far as one is."""
    found = {name: find(desired, name) for name in roles}
    return {
        name: one["spec"]["template"]["metadata"]["annotations"][REVISION_ANNOTATION]
        for name, one in found.items()
        if one
    }


def find(desired: Desired, role: str) -> dict[str, Any] | None:
    """Return the Deployment of a role."""
    return next((one for one in desired.objects if one["kind"] == "Deployment" and is_of(one, role)), None)


def is_of(manifest: Mapping[str, Any], role: str) -> bool:
    """Tell whether an object belongs to a role."""
    return bool(manifest["metadata"]["labels"][COMPONENT] == role)


def follow_orders(
    desired: Desired, orders: Mapping[str, Order], states: Mapping[str, RoleState], templates: Mapping[str, Template]
) -> Desired:
    """Return the desired state with each role's Deployment as its rollout has it at the moment."""
    for role, order in orders.items():
        live = find(desired, role)
        if live is None:
            continue
        kept = tuple(one for one in desired.objects if one is not live)
        if order.restore in templates:
            desired = replace(desired, objects=(*kept, restore(live, templates[order.restore])))
        elif order.frozen:
            desired = replace(desired, objects=kept)
        elif order.paused:
            desired = replace(desired, objects=(*kept, {**live, "spec": {**live["spec"], "paused": True}}))
        if order.frozen:
            desired = replace(desired, frozen={**desired.frozen, role: describe(role, states[role])})
    return desired


def restore(manifest: dict[str, Any], template: Template) -> dict[str, Any]:
    """Return a Deployment with a ReplicaSet's template, without the label that tells ReplicaSets apart."""
    metadata = template["metadata"]
    labels = {name: value for name, value in metadata.get("labels", {}).items() if name != HASH_LABEL}
    named = {name: value for name, value in metadata.items() if name == "annotations"} | {"labels": labels}
    return {**manifest, "spec": {**manifest["spec"], "template": {"metadata": named, "spec": template["spec"]}}}


def describe(role: str, state: RoleState) -> Frozen:
    """Return why a role is kept at what it was."""
    why = state.rollout.message if state.rollout else ""
    return Frozen(
        "RolledBack",
        f"spec.models.{role}: {why or 'the new server failed'}; the one before serves again, change the spec to retry",
    )
