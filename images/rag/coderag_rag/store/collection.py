"""Collections: one per index identity, and the alias that says which one is live."""

from qdrant_client import models

from coderag_rag.store.calls import Calls, StoreRefused
from coderag_rag.store.schema import ALIAS, COLLECTION_PREFIX, DENSE, INDEXED_FIELDS, KEYWORD


async def ensure_collection(call: Calls, name: str, dimensions: int) -> None:
    """Create the collection and its payload indexes, or check that the existing one fits."""
    if not await call("collection_exists", name):
        await call(
            "create_collection",
            name,
            vectors_config={DENSE: models.VectorParams(size=dimensions, distance=models.Distance.COSINE)},
            sparse_vectors_config={KEYWORD: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
    await _check_dimensions(call, name, dimensions)
    for field in INDEXED_FIELDS:
        schema = models.PayloadSchemaType.KEYWORD
        await call("create_payload_index", name, field_name=field, field_schema=schema, wait=True)


async def _check_dimensions(call: Calls, name: str, dimensions: int) -> None:
    vectors = (await call("get_collection", name)).config.params.vectors
    size = vectors[DENSE].size if isinstance(vectors, dict) and DENSE in vectors else 0
    if size != dimensions:
        raise StoreRefused(f"collection {name} holds {size} dimensions and the model gives {dimensions}: delete it")


async def live_collection(call: Calls) -> str | None:
    """Return the collection that the alias names."""
    aliases = (await call("get_aliases")).aliases
    return next((alias.collection_name for alias in aliases if alias.alias_name == ALIAS), None)


async def make_live(call: Calls, name: str) -> None:
    """Point the alias at a collection, away from any other: one action, as Qdrant saves each and can die in between."""
    create = models.CreateAlias(collection_name=name, alias_name=ALIAS)
    operations = [models.CreateAliasOperation(create_alias=create)]
    await call("update_collection_aliases", change_aliases_operations=operations)


async def drop_replaced(call: Calls, current: str) -> list[str]:
    """Delete the collections of earlier identities, once the alias names the current one."""
    if await live_collection(call) != current:
        return []
    listed = [collection.name for collection in (await call("get_collections")).collections]
    replaced = [name for name in listed if name.startswith(COLLECTION_PREFIX) and name != current]
    for name in replaced:
        await call("delete_collection", name)
    return replaced
