"""The gateway's configuration in LiteLLM's own format: which models there are, how long each may take, who stands in.

images/gateway/config.example.yaml is what this renders for a plain stack; a test compares the two.
"""

import json
from typing import Any

from coderag_operator.api import seconds
from coderag_operator.api.servers import ModelServer
from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.references import servers

ROUTER = {
    # The fallback is the retry: a second try on the same single pod only costs time.
    "num_retries": 0,
    # More than one: a single error of the stand-in must not empty a pool that has lost half of itself already.
    "allowed_fails": 3,
    "cooldown_time": 15,
    "enable_pre_call_checks": True,
    "fallbacks": [{names.CHAT: [names.CODE]}, {names.CODE: [names.CHAT]}],
    # The names that the user's clients already use.
    "model_group_alias": {"chat-7b": names.CHAT, "code-7b": names.CODE},
}
# The only one of its kind: an error of one request must not close it for the next.
ALONE = {"cooldown_time": 0}


def key_variable(role: str) -> str:
    """Return the environment variable with the key of an external model."""
    return f"{role.upper()}_EXTERNAL_API_KEY"


def render(context: Context) -> str:
    """Return the configuration file: JSON, which is YAML too and is written 20 times faster."""
    return json.dumps(configuration(context), indent=2) + "\n"


def configuration(context: Context) -> dict[str, Any]:
    """Return the configuration as plain data."""
    roles = [_role(context, role, server) for role, server in servers(context.stack).items()]
    models = [*roles, _coderag(context), _embedding(context)]
    longest = max(model["litellm_params"]["timeout"] for model in models)
    return {"model_list": models, "router_settings": ROUTER, "litellm_settings": {"request_timeout": longest}}


def _role(context: Context, role: str, server: ModelServer) -> dict[str, Any]:
    timeout = seconds(context.stack.spec.gateway.timeouts.request)
    # The first piece must come in half of the time, so that the other model has the other half.
    limits = {"timeout": timeout, "stream_timeout": max(1, timeout // 2)}
    if server.external:
        return _model(role, server.external.model, server.external.base_url, key_variable(role), limits, {})
    info = {"max_input_tokens": server.llama_cpp.context_tokens} if server.llama_cpp else {}
    return _model(role, role, f"{context.url(role)}/v1", "LLAMA_API_KEY", limits, info)


def _coderag(context: Context) -> dict[str, Any]:
    timeout = seconds(context.stack.spec.rag.timeouts.llm)
    limits = {"timeout": timeout, "stream_timeout": timeout} | ALONE
    return _model("coderag", "coderag", f"{context.url(names.RAG)}/v1", "RAG_API_KEY", limits, {})


def _embedding(context: Context) -> dict[str, Any]:
    spec = context.stack.spec
    limits = {"timeout": seconds(spec.rag.timeouts.embedding)} | ALONE
    base, info = f"{context.url(names.EMBEDDING)}/v1", {"mode": "embedding"}
    return _model("embedding", spec.embedding.model, base, "EMBEDDING_API_KEY", limits, info)


def _model(name: str, model: str, base: str, key: str, limits: dict[str, int], info: dict[str, Any]) -> dict[str, Any]:
    # "openai/" means: speaks OpenAI's interface; what follows is the model's name over there.
    endpoint = {"model": f"openai/{model}", "api_base": base, "api_key": f"os.environ/{key}", "max_retries": 0}
    return {"model_name": name, "litellm_params": endpoint | limits, "model_info": {"id": name} | info}
