"""Loads what LiteLLM leaves for the first request, so that the first caller does not wait seconds for it.

Imports and nothing else: no request is sent, and answers are the same with it and without. What takes a hundredth of a
second or less is left to the request: the fewer inner modules of LiteLLM are named here, the fewer can be renamed.
"""

from importlib import import_module

MODULES = (
    "openai.resources",  # the client of the model servers, with a class for each part of every answer
    "litellm.litellm_core_utils.default_encoding",  # the tokenizer that it counts with, from a file of its own
    "litellm.proxy._experimental.mcp_server.mcp_server_manager",
)


def warm_up() -> None:
    """Import what the first request would."""
    from litellm.llms import load_guardrail_translation_mappings

    load_guardrail_translation_mappings()
    for name in MODULES:
        import_module(name)
