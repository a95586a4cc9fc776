"""The part of OpenAI's chat protocol that the model `coderag` speaks.

Fields it does not know are ignored, as clients of OpenAI expect.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coderag_rag.answer.conversation import Pair, pair_turns

MODEL = "coderag"
# What goes to the model as it is: how it writes, never what it is told.
_SAMPLING = frozenset({"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"})
_MOST_TURNS = 40  # before the question; far fewer fit a prompt


class TextPart(BaseModel):
    """A piece of a message; only text counts."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class Message(BaseModel):
    """One turn. What is not named here, like calls of tools, is kept for a request that is passed through."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The text of the turn."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text").strip()
        return (self.content or "").strip()


class Tool(BaseModel):
    """A function that the client would run."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function"]
    function: dict[str, Any]


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """A chat completion request; the last user turn is the question."""

    model: Literal["coderag"]
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    max_completion_tokens: int | None = Field(None, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = Field(None, max_length=16)
    n: Literal[1] | None = None
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        last = self._last_user
        return "" if last is None else self.messages[last].text

    @property
    def history(self) -> list[Pair]:
        """What was asked and answered before the question."""
        before = self.messages[: self._last_user][-_MOST_TURNS:]
        return pair_turns((turn.role, turn.text) for turn in before if turn.role in ("user", "assistant") and turn.text)

    @property
    def instructions(self) -> str:
        """What the application wants of every answer."""
        return "\n".join(turn.text for turn in self.messages if turn.role in ("system", "developer")).strip()

    @property
    def offers_tools(self) -> bool:
        """Whether the model may call tools of the client: the request is then passed through, and nothing searched."""
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def longest(self) -> int | None:
        """The longest answer in tokens, None where the caller leaves it open."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def options(self) -> dict[str, Any]:
        """What goes to the model as it is."""
        return self.model_dump(include=set(_SAMPLING), exclude_none=True)

    def relayed(self, model: str) -> dict[str, Any]:
        """Return the request for a model as the caller wrote it."""
        named = {"messages", "tools", "tool_choice", "parallel_tool_calls"}
        body = self.model_dump(include=named | _SAMPLING, exclude_unset=True, exclude_none=False)
        return {**body, "model": model} | ({"max_tokens": self.longest} if self.longest else {})

    @property
    def _last_user(self) -> int | None:
        turns = range(len(self.messages) - 1, -1, -1)
        return next((place for place in turns if self.messages[place].role == "user"), None)

    @property
    def wants_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)
