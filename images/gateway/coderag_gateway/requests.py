"""What may be asked: routes and body fields. Pure.

LiteLLM takes dozens of control fields from a request's body (`fallbacks`, `api_base`, `mock_response`, ...), with
which a caller could reach models that its key does not cover. Only fields that belong to the OpenAI interface or to
llama.cpp's sampling pass; the others are left out and named in a response header.
"""

import json
from dataclasses import dataclass
from typing import Any

from coderag_gateway.fields import MESSAGES, find_misshapen

MODEL_ROUTES = frozenset(
    prefix + path for prefix in ("", "/v1") for path in ("/chat/completions", "/completions", "/embeddings")
)
LIST_ROUTES = frozenset({"/models", "/v1/models"})
READY_ROUTE = "/health/readiness"
OPEN_ROUTES = frozenset({"/health/liveliness", "/health/liveness", READY_ROUTE})
METRICS_ROUTE = "/metrics"  # the gateway's own; LiteLLM's, if it had one, would name keys
OPENAI_FIELDS = """
    model messages prompt suffix input stream stream_options tools tool_choice parallel_tool_calls functions
    function_call response_format modalities prediction user seed n best_of echo encoding_format dimensions input_type
    temperature top_p stop max_tokens max_completion_tokens presence_penalty frequency_penalty logit_bias logprobs
    top_logprobs reasoning_effort verbosity
"""
LLAMA_FIELDS = """
    top_k min_p typical_p repeat_penalty repeat_last_n mirostat mirostat_tau mirostat_eta dry_multiplier dry_base
    dry_allowed_length dry_penalty_last_n xtc_probability xtc_threshold dynatemp_range dynatemp_exponent samplers
    grammar json_schema cache_prompt chat_template_kwargs n_predict ignore_eos
"""
FIELDS = frozenset((OPENAI_FIELDS + LLAMA_FIELDS).split())


class BadRequestError(Exception):
    """A body that cannot be understood; the message names the field."""

    def __init__(self, message: str, hint: str, param: str | None = None) -> None:
        """Keep what the answer needs."""
        super().__init__(message)
        self.message, self.hint, self.param = message, hint, param


@dataclass(frozen=True)
class ModelRequest:
    """A body that is safe to pass on."""

    model: str
    body: bytes
    dropped: tuple[str, ...]


def parse_request(raw: bytes, path: str = "") -> ModelRequest:
    """Return the request for a model, written anew so that nobody reads it differently.

    `path` is the route it came by; raises BadRequestError.
    """
    document = parse_body(raw)
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequestError("`model` must be the name of a model.", "GET /v1/models lists them.", "model")
    check_tools(document.get("tools"))
    check_forms(document)
    check_conversation(path, document)
    dropped = tuple(sorted(name for name in document if name not in FIELDS))
    kept = {name: value for name, value in document.items() if name in FIELDS}
    return ModelRequest(model, json.dumps(kept, ensure_ascii=False).encode(), dropped)


def parse_body(raw: bytes) -> dict[str, Any]:
    """Return the body as a mapping."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The body is not JSON.", "Send a JSON object, as OpenAI's interface has it.") from error
    if not isinstance(document, dict):
        raise BadRequestError("The body must be a JSON object.", "Send an object with `model` and its input.")
    return document


def check_forms(document: dict[str, Any]) -> None:
    """Refuse a field whose value has a form that no model server takes."""
    if found := find_misshapen(document):
        name, form = found
        raise BadRequestError(f"`{name}` must be {form}.", "Correct the field, or leave it out.", name)


def check_conversation(path: str, document: dict[str, Any]) -> None:
    """Refuse a chat without messages: LiteLLM would call it a failure of its own."""
    if path.endswith("/chat/completions") and document.get("messages") is None:
        raise BadRequestError("`messages` is missing.", f"Send `messages`: {MESSAGES.words}.", "messages")


def check_tools(tools: Any) -> None:
    """Refuse tools that the gateway itself would run, such as remote MCP servers."""
    if tools is None:
        return
    if not isinstance(tools, list) or any(not isinstance(t, dict) or t.get("type") != "function" for t in tools):
        raise BadRequestError("`tools` may hold functions only.", 'Give each tool `"type": "function"`.', "tools")
