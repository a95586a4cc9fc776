"""Which embedding models are served: the wanted one and, while an index is rebuilt, that of the index that answers."""

from coderag_operator.api import Stack
from coderag_operator.api.embedding import Lodging
from coderag_operator.desired.inputs import Inputs


def find_previous(stack: Stack, inputs: Inputs) -> Lodging | None:
    """Return the model that the index which answers was built with, None where the wanted one does or nobody asks."""
    same = inputs.live in (None, stack.spec.embedding.lodging)
    return None if same or not stack.spec.repositories else inputs.live


def is_retiring(stack: Stack, inputs: Inputs) -> bool:
    """Tell whether the model before is needed no longer, and search pods that are being replaced still ask it."""
    return find_previous(stack, inputs) is None and True in inputs.asking


def lodgings(stack: Stack, inputs: Inputs) -> list[Lodging]:
    """Return the models that are served."""
    previous = find_previous(stack, inputs)
    return [stack.spec.embedding.lodging, *([previous] if previous else [])]
