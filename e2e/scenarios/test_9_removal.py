"""The end of a stack and of the chart. Runs last: nothing is left to test on after it."""

import pytest

from e2e import install
from e2e.kubectl import CommandError
from e2e.scenarios.audit import read_requests
from e2e.scenarios.test_3_repairs import OPERATOR
from e2e.waiting import wait_until

pytestmark = pytest.mark.last


def read_granted(cluster):
    """Return what the chart grants the operator as (verb, group, resource)."""
    rules = cluster.get("clusterrole", "coderag-operator")["rules"]
    rules += cluster.get("clusterrole", "coderag-operator-nodes")["rules"]
    rules += cluster.get("role", "coderag-operator-leader", "-n", install.SYSTEM)["rules"]
    return {(v, g, r) for rule in rules for v in rule["verbs"] for g in rule["apiGroups"] for r in rule["resources"]}


# Granted and not seen in a run of the scenarios, with the reason why it is needed all the same.
RENAMED = "a child that a later operator no longer renders has to go; no spec of today takes one away"
ON_A_GPU = "only a stack with a model on a GPU looks at nodes"
CLAIMS = "only gpu.sharing DRA makes a claim"
SCHEDULED = "only spec.evaluation.schedule makes a CronJob"
UNUSED = {
    ("delete", "", "configmaps"): RENAMED,
    ("delete", "apps", "statefulsets"): RENAMED,
    ("get", "apps", "replicasets"): "only a rollback reads one; make test-failover rolls back",
    ("list", "", "nodes"): ON_A_GPU,
    ("list", "resource.k8s.io", "resourceslices"): ON_A_GPU,
    **{(verb, "resource.k8s.io", "resourceclaims"): CLAIMS for verb in ("create", "delete", "get", "patch")},
    **{(verb, "batch", "cronjobs"): SCHEDULED for verb in ("create", "delete", "get", "patch")},
}


def test_deleting_the_stack_follows_the_deletion_policies(stack):
    owned = {c["metadata"]["name"] for c in stack.children("pvc") if c["metadata"].get("ownerReferences")}
    kept = {c["metadata"]["name"] for c in stack.children("pvc")} - owned
    stack.kubectl("delete", "crs", stack.name, "--timeout=120s")
    wait_until(lambda: not stack.children("pods"), "no pod left", 180)
    wait_until(lambda: {c["metadata"]["name"] for c in stack.children("pvc")} == kept, "only kept claims", 120)
    assert kept, "the vector store's policy is Retain by default"


def test_the_granted_rules_are_the_rules_that_were_used(stack):
    log = stack.cluster.audit_log
    if log is None:
        pytest.skip("this cluster's audit log cannot be read from here")
    requests = list(read_requests(log, OPERATOR))
    refused = {(r.verb, r.resource, r.namespace) for r in requests if r.code in {401, 403}}
    used = {(r.verb, r.group, r.resource) for r in requests}
    used |= {
        ("create", group, kind) for verb, group, kind in used if verb == "patch"
    }  # applying what is absent needs both
    unused = {rule for rule in read_granted(stack.cluster) - used if rule not in UNUSED}
    assert refused == set()
    assert unused == set()


def test_helm_uninstall_hangs_on_nothing_and_keeps_the_resource_definition(operator):
    operator.helm("uninstall", "coderag", "-n", install.SYSTEM, "--wait", "--timeout", "2m")
    assert operator.get("crd", "coderagstacks.coderag.dev")
    with pytest.raises(CommandError, match="not found"):
        operator.kubectl("-n", install.SYSTEM, "get", "deployment", "coderag-operator")
