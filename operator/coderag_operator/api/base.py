"""What every part of the spec has in common: JSON names, no unknown fields, and rules that both sides share.

A rule is written once, as CEL for the API server and as a predicate for the operator, so that neither can accept what
the other refuses. CEL sees the defaults of a section before what is below it is filled in, hence the has() in rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"


def always(_: Any) -> bool:
    """Hold for every value: for rules on the change from the old object, which only the API server sees."""
    return True


@dataclass(frozen=True)
class Rule:
    """One requirement on a value: CEL for the API server, a predicate for the operator, and what to tell the user."""

    cel: str
    message: str
    remedy: str
    holds: Callable[[Any], bool]
    field: str = ""

    def validation(self) -> dict[str, str]:
        """Return the rule as an entry of x-kubernetes-validations."""
        entry = {"rule": self.cel, "message": f"{self.message}: {self.remedy}"}
        return entry | ({"fieldPath": f".{self.field}"} if self.field else {})

    def check(self, value: Any) -> Any:
        """Return the value, or raise with the message and the remedy."""
        if self.holds(value):
            return value
        context = {"remedy": self.remedy, "field": self.field}
        raise PydanticCustomError("rule", "{text}", {"text": self.message, **context})

    # The two hooks below let a rule stand inside Annotated[...] on a scalar.
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return add_validations(handler(schema), self)


def add_validations(schema: JsonSchemaValue, *rules: Rule) -> JsonSchemaValue:
    """Return the schema with the rules added to those that it has."""
    if not rules:
        return schema
    entries = [*schema.get(VALIDATIONS, []), *(rule.validation() for rule in rules)]
    return schema | {VALIDATIONS: entries}


class Model(BaseModel):
    """A part of the spec: immutable, camelCase in JSON, closed to unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        for rule in self.RULES:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        generated = handler(schema)
        generated = handler.resolve_ref_schema(generated)
        generated.update(add_validations({}, *cls.RULES))
        return generated
