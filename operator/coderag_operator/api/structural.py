"""From the JSON schema that pydantic writes to the structural one that a CRD takes: no references, unions or titles."""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
NULL = {"type": "null"}
# additionalProperties: false is dropped too: a structural schema is closed by itself.
DROPPED = ("title", "$defs", "additionalProperties", "propertyNames")


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model, under the names that JSON has."""
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}))


def _convert(schema: Schema, definitions: Schema) -> Schema:
    schema = _inlined(_without_null(schema), definitions)
    result = {key: value for key, value in schema.items() if key not in DROPPED}
    if isinstance(values := schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(values, definitions)
    if "items" in schema:
        result = {"x-kubernetes-list-type": "atomic"} | result | {"items": _convert(schema["items"], definitions)}
    if "properties" in schema:
        result["properties"] = _properties(schema, definitions)
    if "const" in result:
        result["enum"] = [result.pop("const")]
    return result


def _properties(schema: Schema, definitions: Schema) -> Schema:
    required = schema.get("required", ())
    converted = {}
    for name, value in schema["properties"].items():
        converted[name] = _convert(value, definitions)
        if name not in required and not _nullable(value) and "properties" in converted[name]:
            # An empty default lets the API server fill in the defaults below a section that was left out.
            converted[name]["default"] = {}
    return converted


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    # What stands beside the reference (the description) speaks of this use and wins.
    definition: Schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return definition | {key: value for key, value in schema.items() if key != "$ref"}


def _nullable(schema: Schema) -> bool:
    return NULL in schema.get("anyOf", ())


def _without_null(schema: Schema) -> Schema:
    if not _nullable(schema):
        return schema
    kind: Schema = next(option for option in schema["anyOf"] if option != NULL)
    return kind | {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
