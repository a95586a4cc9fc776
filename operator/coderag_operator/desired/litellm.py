"""The gateway's configuration in LiteLLM's own format."""

from typing import Any

import yaml

from coderag_operator.api import seconds
from coderag_operator.api.servers import ModelServer
from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.references import servers

# The names that the user's clients already use.
ALIASES = {"chat-7b": names.CHAT, "code-7b": names.CODE}


def key_variable(role: str) -> str:
    """Return the environment variable with the key of an external model."""
    return f"{role.upper()}_API_KEY"


def render(context: Context) -> str:
    """Return the configuration file."""
    return yaml.safe_dump(configuration(context), sort_keys=True, default_flow_style=False)


def configuration(context: Context) -> dict[str, Any]:
    """Return the configuration as plain data."""
    request = seconds(context.stack.spec.gateway.timeouts.request)
    roles = servers(context.stack)
    other = {names.CHAT: names.CODE, names.CODE: names.CHAT}
    return {
        "model_list": [
            *(_model(context, role, server) for role, server in roles.items()),
            _coderag(context),
            _embedding(context),
        ],
        "router_settings": {
            "model_group_alias": ALIASES,
            "fallbacks": [{name: [other[ALIASES.get(name, name)]]} for name in (*other, *ALIASES)],
            # The fallback is the retry: a second try on the same single pod only costs time.
            "num_retries": 0,
            # More than one: a single error of the stand-in must not take it out of an already halved pool.
            "allowed_fails": 3,
            "cooldown_time": 15,
        },
        "litellm_settings": {"request_timeout": request, "drop_params": True, "telemetry": False},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "background_health_checks": False},
    }


def _model(context: Context, role: str, server: ModelServer) -> dict[str, Any]:
    request = seconds(context.stack.spec.gateway.timeouts.request)
    info: dict[str, Any] = {"id": role}
    if server.external:
        key = f"os.environ/{key_variable(role)}" if server.external.api_key_secret_ref else "none"
        parameters = _endpoint(server.external.model, server.external.base_url, key, request)
    else:
        parameters = _endpoint(role, f"{context.url(role)}/v1", "os.environ/LLAMA_API_KEY", request)
    if server.llama_cpp:
        info["max_input_tokens"] = server.llama_cpp.context_tokens
    return {"model_name": role, "litellm_params": parameters, "model_info": info}


def _coderag(context: Context) -> dict[str, Any]:
    timeout = seconds(context.stack.spec.rag.timeouts.llm)
    parameters = _endpoint("coderag", f"{context.url(names.RAG)}/v1", "os.environ/RAG_API_KEY", timeout)
    return {"model_name": "coderag", "litellm_params": parameters, "model_info": {"id": "coderag"}}


def _embedding(context: Context) -> dict[str, Any]:
    spec = context.stack.spec
    timeout = seconds(spec.rag.timeouts.embedding)
    base = f"{context.url(names.EMBEDDING)}/v1"
    parameters = _endpoint(spec.embedding.model, base, "os.environ/EMBEDDING_API_KEY", timeout)
    info = {"id": "embedding", "mode": "embedding"}
    return {"model_name": "embedding", "litellm_params": parameters, "model_info": info}


def _endpoint(model: str, base: str, key: str, timeout: int) -> dict[str, Any]:
    # stream_timeout bounds the first piece; a busy model may need the whole time to read a long prompt.
    return {
        "model": f"openai/{model}",
        "api_base": base,
        "api_key": key,
        "timeout": timeout,
        "stream_timeout": timeout,
        "max_retries": 0,
    }
