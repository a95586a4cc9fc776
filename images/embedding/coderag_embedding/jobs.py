"""One text to embed, and the two ways to compute a batch of them.

On a CPU one after the other; on a GPU in padded batches. The lanes only know that a batch of jobs gives outcomes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from coderag_embedding.model import Embedded, Model

GPU_BATCH_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """A text with the prompt before it, and the model that was asked: a reload must not mix two in one answer."""

    model: Model
    text: str
    prompt: str

    def __call__(self) -> Embedded:
        """Compute this text alone."""
        return self.model.embed(self.text, self.prompt)


def run_each(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return each job's result or the exception that it raised: one bad text is one request's trouble."""
    return [_outcome(job) for job in jobs]


def run_together(jobs: Sequence[EmbedJob]) -> list[Any]:
    """Return results computed in padded batches; where a batch fails its texts are tried alone."""
    outcomes: list[Any] = []
    for model, group in groupby(jobs, key=lambda job: job.model):
        members = list(group)
        try:
            outcomes += model.embed_together([job.prompt + job.text for job in members], GPU_BATCH_TOKENS)
        except Exception:  # run_each finds out whose fault it is and reports that
            outcomes += run_each(members)
    return outcomes


def _outcome(job: Callable[[], Any]) -> Any:
    try:
        return job()
    except Exception as error:
        return error
