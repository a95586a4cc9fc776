"""The gateway's configuration in LiteLLM's own format: which models there are, how long each may take, who stands in.

images/gateway/config.example.yaml is what this renders for a plain stack; a test compares the two.
"""

import json
from typing import Any

from coderag_operator.api import Stack, seconds
from coderag_operator.api.components import GatewayTimeouts
from coderag_operator.api.servers import ModelServer
from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.references import local_servers, servers

# The names that the user's clients already use.
ALIASES = {"chat-7b": names.CHAT, "code-7b": names.CODE}
# Once an address is taken out of the Service, a few more seconds pass until nobody sends requests to it.
DRAIN_DELAY = 5
# A server that is too busy is alive: the request falls back, the next one asks it again.
NEVER = 1_000_000
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
    return {
        "model_list": models,
        "router_settings": _router(context.stack),
        "litellm_settings": {"request_timeout": longest},
        "coderag": _own(context.stack),
    }


def _router(stack: Stack) -> dict[str, Any]:
    gateway, allowed = stack.spec.gateway, _stand_ins(stack)
    return {
        # The fallback is the retry: a second try on the same single pod only costs time. And it ends there.
        "num_retries": 0,
        "max_fallbacks": 1,
        "allowed_fails": gateway.allowed_fails,
        "cooldown_time": seconds(gateway.cooldown),
        "enable_pre_call_checks": True,
        "fallbacks": [{role: others} for role, others in allowed.items() if others],
        # Named for each role, also where there is none: left out, LiteLLM would take `fallbacks`.
        "context_window_fallbacks": [
            {role: [other for other in others if _is_longer(stack, other, role)]} for role, others in allowed.items()
        ],
        "model_group_alias": ALIASES,
    }


def _stand_ins(stack: Stack) -> dict[str, list[str]]:
    failover = stack.spec.failover
    return {
        names.CHAT: [names.CODE] if failover.chat_to_code else [],
        names.CODE: [names.CHAT] if failover.code_to_chat else [],
    }


def _is_longer(stack: Stack, role: str, than: str) -> bool:
    # What an external model takes is not known here: worth a try, and never less than it.
    server, other = servers(stack)[role].llama_cpp, servers(stack)[than].llama_cpp
    return server is None or (other is not None and server.context_tokens > other.context_tokens)


def _allowed(fails: int) -> dict[str, int]:
    # Said for each model and each kind of failure: LiteLLM takes a plain 3, its own default, for "not set" and then
    # never cools down the only server of a model; and a policy of the router counts all kinds as one.
    failed = ("InternalServer", "ServiceUnavailable", "BadGateway", "NotFound", "Authentication")
    policy = {f"{kind}ErrorAllowedFails": fails for kind in failed}
    # A timeout has already cost its caller the time to the first token.
    return policy | {"TimeoutErrorAllowedFails": 1, "RateLimitErrorAllowedFails": NEVER}


def _own(stack: Stack) -> dict[str, Any]:
    return {
        "connect_timeout": seconds(stack.spec.gateway.timeouts.connect),
        "drain_delay": DRAIN_DELAY,
        # llama.cpp streams whatever it is asked; of an external model that is not known.
        "streamed": list(local_servers(stack)),
    }


def first_token(timeouts: GatewayTimeouts) -> int:
    """Return how long a model has until the first piece: half of the time, so that the other has the other half."""
    total = seconds(timeouts.request)
    return min(seconds(timeouts.first_token), total) if timeouts.first_token else max(1, total // 2)


def _role(context: Context, role: str, server: ModelServer) -> dict[str, Any]:
    timeouts = context.stack.spec.gateway.timeouts
    limits = {"timeout": seconds(timeouts.request), "stream_timeout": first_token(timeouts)}
    info: dict[str, Any] = {"allowed_fails_policy": _allowed(context.stack.spec.gateway.allowed_fails)}
    if server.llama_cpp:
        info["max_input_tokens"] = server.llama_cpp.context_tokens
        return _model(role, role, f"{context.url(role)}/v1", "LLAMA_API_KEY", limits, info)
    assert server.external is not None  # noqa: S101  the spec's rule: exactly one of the two
    return _model(role, server.external.model, server.external.base_url, key_variable(role), limits, info)


def _coderag(context: Context) -> dict[str, Any]:
    timeout = seconds(context.stack.spec.rag.timeouts.llm)
    limits = {"timeout": timeout, "stream_timeout": timeout} | ALONE
    return _model("coderag", "coderag", f"{context.url(names.RAG)}/v1", "RAG_API_KEY", limits, {})


def _embedding(context: Context) -> dict[str, Any]:
    spec = context.stack.spec
    limits = {"timeout": seconds(spec.rag.timeouts.embedding)} | ALONE
    base, info = f"{context.url(names.EMBEDDING)}/v1", {"mode": "embedding"}
    return _model("embedding", spec.embedding.wanted_model, base, "EMBEDDING_API_KEY", limits, info)


def _model(name: str, model: str, base: str, key: str, limits: dict[str, int], info: dict[str, Any]) -> dict[str, Any]:
    # "openai/" means: speaks OpenAI's interface; what follows is the model's name over there.
    endpoint = {"model": f"openai/{model}", "api_base": base, "api_key": f"os.environ/{key}", "max_retries": 0}
    return {"model_name": name, "litellm_params": endpoint | limits, "model_info": {"id": name} | info}
