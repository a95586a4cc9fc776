"""LiteLLM's custom_auth hook: the same rules a second time, inside LiteLLM, behind the guard."""

import os

from litellm.proxy._types import LitellmUserRoles, ProxyException, UserAPIKeyAuth
from starlette.requests import Request

from coderag_gateway.callers import Callers, read_bearer
from coderag_gateway.settings import read_settings

callers = Callers(read_settings(os.environ))


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Return what the holder of a key may do; LiteLLM enforces the list of models."""
    caller = callers.find(read_bearer(api_key) or api_key)
    if caller is None:
        raise ProxyException("No API key, or one that is not known here.", "authentication_error", None, 401)
    role = LitellmUserRoles.PROXY_ADMIN if caller.models is None else LitellmUserRoles.INTERNAL_USER
    # The name stands in for the key, so that no log or header can carry the key itself.
    return UserAPIKeyAuth(api_key=caller.name, user_role=role, models=list(caller.models or ()))
