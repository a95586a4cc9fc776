"""Which components have no pods: all at once while the stack is suspended, one wave after the other in maintenance."""

from collections.abc import Collection

from coderag_operator.api import Stack
from coderag_operator.desired import names

# Who takes requests stops before who answers them, who writes before what is written to.
WAVES = (
    (names.GATEWAY, names.EVALUATION),
    (names.RAG,),
    (names.CHAT, names.CODE),
    (names.INGESTION, names.MODELS),
    (names.EMBEDDING, names.PREVIOUS),
    (names.QDRANT,),
)


def stopped(stack: Stack, alive: Collection[str]) -> frozenset[str]:
    """Return the components that are to have no pods; `alive` are those that still have some."""
    found: set[str] = set()
    if not (stack.spec.suspend or stack.spec.maintenance):
        return frozenset()
    for wave in WAVES:
        found.update(wave)
        if not stack.spec.suspend and any(component in alive for component in wave):
            break
    return frozenset(found)
