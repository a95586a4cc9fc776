"""Reads one key of a stack, in a thread: the operator presents it to the stack's own services."""

import asyncio
import base64
from concurrent.futures import Executor

from coderag_operator.api import Stack
from coderag_operator.desired import keys_secret_name
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import SECRET


async def read_key(kube: Kube, pool: Executor, stack: Stack, name: str) -> str:
    """Return a key of the stack's Secret, empty when there is none."""
    loop = asyncio.get_running_loop()
    secret = await loop.run_in_executor(pool, kube.get, SECRET, stack.namespace, keys_secret_name(stack))
    value = ((secret or {}).get("data") or {}).get(name) or ""
    return base64.b64decode(value).decode(errors="replace").strip()
