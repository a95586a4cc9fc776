"""The chart as a cluster sees it: rendered by the real helm, judged by the real API server."""

from pathlib import Path

import pytest
import yaml

from e2e.kubectl import CommandError
from e2e.scenarios.restricted import violations

pytestmark = pytest.mark.integration

CHART = Path("charts/coderag")
VALUES = sorted(CHART.glob("ci/*-values.yaml"))
NAMESPACES = ("coderag-system", "team-a", "team-b")
OPTIONAL = {"CustomResourceDefinition", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "ClusterRole", "Role"}


@pytest.fixture(scope="session")
def prepared(cluster):
    """The API server with the namespaces and the definitions that rendered objects need."""
    for name in NAMESPACES:
        cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "--server-side", "-f", "crds/")
    cluster.kubectl("apply", "--server-side", "-f", "charts/tests/servicemonitor-crd.yaml")
    return cluster


def render(cluster, *options):
    text = cluster.helm("template", "coderag", str(CHART), "-n", NAMESPACES[0], *options)
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_rendered_object_passes_a_strict_dry_run(prepared, values, tmp_path):
    documents = render(prepared, "-f", str(values))
    assert documents
    target = tmp_path / "rendered.yaml"
    target.write_text(yaml.safe_dump_all(documents))
    prepared.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", str(target)
    )


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_pod_meets_the_restricted_level(prepared, values):
    pods = [d["spec"]["template"]["spec"] for d in render(prepared, "-f", str(values)) if d["kind"] == "Deployment"]
    pods += [d["spec"] for d in render(prepared, "-f", str(values)) if d["kind"] == "Pod"]
    assert pods
    assert [violations(pod) for pod in pods] == [[] for _ in pods]


def test_helm_lint_finds_nothing(prepared):
    prepared.helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("resorces.limits.cpu=1", "resorces"),
        ("image.tga=1", "tga"),
        ("operator.workers=0", "workers"),
        ("operator.logLevel=LOUD", "logLevel"),
        ("image.digest=latest", "digest"),
        ("componentImages.lama=x", "lama"),
        ("watchNamespaces={Team_A}", "watchNamespaces"),
        ("metrics.serviceMonitor.interval=often", "interval"),
    ],
)
def test_the_schema_names_a_wrong_value(prepared, setting, field):
    with pytest.raises(CommandError, match=field):
        render(prepared, "--set", setting)


def test_a_service_account_of_the_user_needs_a_name(prepared):
    with pytest.raises(CommandError, match=r"serviceAccount\.name is required"):
        render(prepared, "--set", "serviceAccount.create=false")


def test_watch_namespaces_turn_the_cluster_role_into_roles(prepared):
    documents = render(prepared, "-f", str(CHART / "ci/namespaced-values.yaml"))
    roles = {(d["kind"], d["metadata"].get("namespace")) for d in documents if d["kind"] in {"Role", "ClusterRole"}}
    assert roles == {("Role", "team-a"), ("Role", "team-b"), ("Role", "coderag-system")}


def read_cluster_wide(documents):
    """Return the rules of the ClusterRoles that are bound, by role."""
    bound = {d["roleRef"]["name"] for d in documents if d["kind"] == "ClusterRoleBinding"}
    return {
        d["metadata"]["name"]: d["rules"]
        for d in documents if d["kind"] == "ClusterRole" and d["metadata"]["name"] in bound
    }  # fmt: skip


def test_reading_nodes_is_the_only_right_beyond_the_watched_namespaces(prepared):
    documents = render(prepared, "--set", "watchNamespaces={team-a}")
    (rules,) = read_cluster_wide(documents).values()
    assert rules == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
        {"apiGroups": ["resource.k8s.io"], "resources": ["resourceslices"], "verbs": ["list"]},
    ]


@pytest.mark.parametrize(("options", "roles"), [((), 2), (("--set", "rbac.readNodes=false"), 1)])
def test_reading_nodes_has_a_role_of_its_own_that_can_be_left_out(prepared, options, roles):
    found = read_cluster_wide(render(prepared, *options))
    assert len(found) == roles
    assert ("coderag-operator-nodes" in found) == (roles == 2)
    everything = [rule["resources"] for name, rules in found.items() if not name.endswith("-nodes") for rule in rules]
    assert ["nodes"] not in everything


def test_every_optional_object_can_be_switched_off(prepared):
    kinds = {document["kind"] for document in render(prepared, "-f", str(CHART / "ci/bare-values.yaml"))}
    assert kinds.isdisjoint(OPTIONAL)


def test_a_digest_wins_over_a_tag(prepared):
    digest = "sha256:" + "b" * 64
    documents = render(prepared, "--set", f"image.tag=v1,image.digest={digest}")
    images = {
        c["image"] for d in documents if d["kind"] == "Deployment" for c in d["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"ghcr.io/coderag-dev/coderag-operator@{digest}"}


def test_the_definition_is_kept_on_uninstall_unless_asked_otherwise(prepared):
    def policy(*options):
        crd = next(d for d in render(prepared, *options) if d["kind"] == "CustomResourceDefinition")
        return crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy")

    assert policy() == "keep"
    assert policy("--set", "crds.keep=false") is None


def test_no_rule_holds_a_star(prepared):
    rules = [rule for d in render(prepared) if d["kind"] in {"Role", "ClusterRole"} for rule in d["rules"]]
    assert rules
    assert all("*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in rules)


def test_the_notes_show_the_next_command(prepared):
    notes = prepared.helm("install", "coderag", str(CHART), "-n", NAMESPACES[0], "--dry-run=client")
    assert "kubectl apply --server-side -f examples/minimal.yaml" in notes
    assert "kubectl get crs" in notes
