"""How many tokens a prompt may have, from the context of the model that will read it.

The operator plans a context for every server and gives the search service what of the smallest one a prompt may take
(CONTEXT_TOKENS) and how long an answer usually is (ANSWER_TOKENS). Where the server itself can be asked, what it says
it was started with counts: that is the plan in force, of the server that stands in during a failover too.
"""

from dataclasses import dataclass

from coderag_rag.answer.task import Task

# The count of tokens is an estimate from characters; what a chat template adds to each message is not in it.
_TRUST = 0.85
_TEMPLATE_TOKENS = 64
_LARGEST_ANSWER = 0.5  # of the context: a caller who asks for more still gets sources to answer from
_CODE_IS_LONGER = 2
_HISTORY_SHARE, _INSTRUCTIONS_SHARE = 0.2, 0.2


@dataclass(frozen=True)
class AnswerLimits:
    """Sizes of an answer as configured: what a prompt may take of a context that is not known, and a usual answer."""

    context_tokens: int = 2048
    answer_tokens: int = 512


@dataclass(frozen=True)
class Budget:
    """Sizes in tokens for one question."""

    prompt: int
    answer: int

    @property
    def history(self) -> int:
        """The most that earlier turns may take of the prompt."""
        return int(self.prompt * _HISTORY_SHARE)

    @property
    def instructions(self) -> int:
        """The most that an application's own instructions may take of the prompt."""
        return int(self.prompt * _INSTRUCTIONS_SHARE)


def plan_budget(limits: AnswerLimits, task: Task, wanted: int | None = None, window: int | None = None) -> Budget:
    """Return the sizes for a question; `wanted` is the caller's longest answer, `window` the model's context if known.

    Prompt and answer share the window. Where it is not known, the prompt has its configured size whatever the answer.
    """
    answer = wanted or limits.answer_tokens * (_CODE_IS_LONGER if task is Task.GENERATE else 1)
    if window is None:
        return Budget(limits.context_tokens, answer)
    reserved = min(answer, int(window * _LARGEST_ANSWER))
    return Budget(max(0, int((window - reserved - _TEMPLATE_TOKENS) * _TRUST)), answer)
