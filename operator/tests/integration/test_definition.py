"""The real API server on our CRD, on specs that make no sense, and on everything that the builders render."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from coderag_operator.kube.kinds import BY_NAME
from tests.integration.conftest import Namespace
from tests.invalid_specs import INVALID, Invalid
from tests.specs import BASE, merge
from tests.support.live_api import APPLY, MERGE, Live

pytestmark = pytest.mark.integration
RENDERED = Path(__file__).parents[1] / "golden/rendered"
DRY = "dryRun=All&fieldValidation=Strict"


async def test_the_definition_is_established(live: Live) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/coderagstacks.coderag.dev"

    async def established() -> bool:
        conditions = (await live.call("GET", path)).get("status", {}).get("conditions", [])
        return {"Established", "NamesAccepted"} <= {one["type"] for one in conditions if one["status"] == "True"}

    await live.wait(established)
    conditions = (await live.call("GET", path))["status"]["conditions"]
    assert not [one for one in conditions if one["type"] == "NonStructuralSchema"]


async def test_a_stack_that_nobody_has_seen_does_not_look_finished(namespace: Namespace) -> None:
    stack = await namespace.create(BASE)
    conditions = {one["type"]: one["status"] for one in stack["status"]["conditions"]}
    assert conditions == {"Ready": "Unknown", "Reconciling": "True"}


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
async def test_an_invalid_spec_is_refused_naming_the_field_and_the_remedy(case: Invalid, namespace: Namespace) -> None:
    collection = namespace.stack_path.rpartition("/")[0]
    if case.update:
        await namespace.create(BASE)
        path, body, kind, method = f"{namespace.stack_path}?{DRY}", {"spec": case.patch}, MERGE, "PATCH"
    else:
        stack = {"apiVersion": "coderag.dev/v1alpha1", "kind": "CodeRagStack", "metadata": {"name": "demo"}}
        path, body, kind = f"{collection}?{DRY}", {**stack, "spec": merge(BASE, case.patch)}, "application/json"
        method = "POST"
    response = await namespace.live.http.request(method, path, json=body, headers={"content-type": kind})
    message = response.json().get("message", "")
    assert response.status_code in (400, 422), message
    assert case.field in message
    assert all(word in message for word in (*case.words, *case.server)), message


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a render; the first document is a summary."""
    return [one for one in yaml.safe_load_all(path.read_text()) if "kind" in one]


@pytest.mark.parametrize("path", sorted(RENDERED.glob("*.yaml")), ids=lambda path: path.stem)
async def test_everything_that_is_rendered_is_accepted(path: Path, live: Live) -> None:
    found = await live.find("/api/v1/namespaces/team")
    if found is None:
        await live.call("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    turns = asyncio.Semaphore(4)

    async def accept(manifest: dict[str, Any]) -> None:
        metadata = manifest["metadata"]
        where = BY_NAME[manifest["kind"]].path(metadata["namespace"], metadata["name"])
        async with turns:
            await live.call("PATCH", f"{where}?{DRY}&force=true&fieldManager=tests", manifest, APPLY)

    await asyncio.gather(*map(accept, read_manifests(path)))
