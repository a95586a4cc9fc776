"""Routes of collections, aliases and payload indexes. Bodies are checked by the client's own generated models."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from qdrant_client.http import models

from e2e.standins.qdrant.catalog import Catalog
from e2e.standins.qdrant.errors import wrong_input
from e2e.standins.qdrant.replies import enveloped
from e2e.standins.qdrant.settings import INDEX_KINDS, describe

router = APIRouter()
Json = dict[str, Any]


def catalog_of(request: Request) -> Catalog:
    """Return the catalog that the application was built with."""
    app: FastAPI = request.app
    catalog: Catalog = app.state.catalog
    return catalog


def dump(body: Any) -> Json:
    """Return a checked body as plain JSON with only what was sent."""
    found: Json = body.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return found


@router.get("/collections")
@enveloped
def list_collections(request: Request) -> Json:
    """List collections."""
    return {"collections": [{"name": name} for name in catalog_of(request).names()]}


@router.put("/collections/{name}")
@enveloped
def create_collection(request: Request, name: str, body: models.CreateCollection) -> bool:
    """Make a collection."""
    catalog_of(request).create(name, dump(body))
    return True


@router.get("/collections/{name}")
@enveloped
def get_collection(request: Request, name: str) -> Json:
    """Report a collection's settings, counts and payload indexes."""
    catalog = catalog_of(request)
    info = catalog.call(name, "info")
    return describe(catalog.settings(name), info["counts"], info["schema"])


@router.patch("/collections/{name}")
@enveloped
def update_collection(request: Request, name: str, body: models.UpdateCollection) -> bool:
    """Change settings that may change, metadata among them."""
    catalog_of(request).change(name, {key: value for key, value in dump(body).items() if key in CHANGEABLE})
    return True


CHANGEABLE = ("metadata", "optimizers_config", "hnsw_config")


@router.delete("/collections/{name}")
@enveloped
def delete_collection(request: Request, name: str) -> bool:
    """Remove a collection; false if there was none."""
    return catalog_of(request).delete(name)


@router.get("/collections/{name}/exists")
@enveloped
def collection_exists(request: Request, name: str) -> Json:
    """Tell whether a collection or an alias of that name exists."""
    catalog = catalog_of(request)
    return {"exists": name in catalog.names() or name in catalog.aliases}


@router.get("/aliases")
@enveloped
def list_aliases(request: Request) -> Json:
    """List every alias."""
    aliases = catalog_of(request).aliases
    return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in sorted(aliases.items())]}


@router.get("/collections/{name}/aliases")
@enveloped
def list_collection_aliases(request: Request, name: str) -> Json:
    """List the aliases of one collection."""
    aliases = catalog_of(request).aliases
    return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in sorted(aliases.items()) if c == name]}


@router.post("/collections/aliases")
@enveloped
def change_aliases(request: Request, body: models.ChangeAliasesOperation) -> bool:
    """Change aliases in one step."""
    catalog_of(request).change_aliases(dump(body)["actions"])
    return True


@router.put("/collections/{name}/index")
@enveloped
def create_index(request: Request, name: str, body: models.CreateFieldIndex) -> Json:
    """Index a payload field."""
    given = dump(body)
    schema = given.get("field_schema") or "keyword"
    kind = schema if isinstance(schema, str) else schema.get("type")
    if kind not in INDEX_KINDS:
        raise wrong_input(f"field_schema {kind!r} is not one of {', '.join(INDEX_KINDS)}")
    catalog_of(request).call(name, "create_index", given["field_name"], schema)
    return {"operation_id": 0, "status": "completed"}


@router.delete("/collections/{name}/index/{field}")
@enveloped
def delete_index(request: Request, name: str, field: str) -> Json:
    """Drop the index of a payload field."""
    catalog_of(request).call(name, "delete_index", field)
    return {"operation_id": 0, "status": "completed"}
