"""What the user writes: the spec of a CodeRagStack, its rules and defaults, and the CRD that is generated from them."""

from coderag_operator.api.quantity import amount, seconds
from coderag_operator.api.spec import StackSpec
from coderag_operator.api.stack import (
    API_VERSION,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    InvalidSpec,
    Stack,
    Violation,
    parse,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "VERSION",
    "InvalidSpec",
    "Stack",
    "StackSpec",
    "Violation",
    "amount",
    "parse",
    "seconds",
]
