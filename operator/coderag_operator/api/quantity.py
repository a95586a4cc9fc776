"""Durations and Kubernetes quantities: the two strings of the spec that are compared as numbers."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from coderag_operator.api.base import VALIDATIONS, Rule

SECONDS = {"s": 1, "m": 60, "h": 3600}
FACTORS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTP", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTP", start=1)},
}
DURATION_PATTERN = r"^[0-9]+(s|m|h)$"
QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
SIZE_PATTERN = r"^[1-9][0-9]*(Mi|Gi|Ti|M|G|T)$"


def seconds(duration: str) -> int:
    """Return a duration such as 90s, 2m or 1h in seconds."""
    return int(duration[:-1]) * SECONDS[duration[-1]]


def amount(quantity: str) -> Decimal:
    """Return a Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(match[1]) * FACTORS[match[2]]


@dataclass(frozen=True)
class Between:
    """Bounds of a duration, for Annotated[str, Between("1s", "10m")]."""

    low: str
    high: str

    @property
    def rule(self) -> Rule:
        """Return the bounds as a rule that the API server checks as well."""
        low, high = seconds(self.low), seconds(self.high)
        return Rule(
            cel=f"duration(self) >= duration('{self.low}') && duration(self) <= duration('{self.high}')",
            message="the duration is out of bounds",
            remedy=f"give a value from {self.low} to {self.high}",
            holds=lambda value: low <= seconds(value) <= high,
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return self.rule.__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "maxLength": 8,
            VALIDATIONS: [self.rule.validation()],
        }


DurationText = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=8)]


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


# YAML writers put 2 as often as "2"; both mean the same.
Quantity = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=QUANTITY_PATTERN, max_length=16),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "maxLength": 16}),
]
Size = Annotated[str, Field(pattern=SIZE_PATTERN, max_length=16)]
