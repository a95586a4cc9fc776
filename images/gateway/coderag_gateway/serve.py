"""Start LiteLLM's application behind the guard."""

import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from coderag_gateway.callers import Callers
from coderag_gateway.config import Configuration, build_config, write_config
from coderag_gateway.drain import Drain, DrainingServer
from coderag_gateway.guard import Guard
from coderag_gateway.settings import ConfigurationError, Settings, read_settings
from coderag_gateway.transport import ModelTransport
from coderag_gateway.warm import warm_up

# No request to anywhere at start, no page for browsers, no database, nothing written but the temporary folder.
FIXED = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_TELEMETRY": "False",
    "DEFAULT_MAX_RETRIES": "0",  # LiteLLM takes `max_retries: 0` of an embedding model for "not set", and this instead
    # llama.cpp's server closes a connection that is idle for 5 s; one that is given up earlier is never used too late.
    "AIOHTTP_KEEPALIVE_TIMEOUT": "4",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
    "LITELLM_NON_ROOT": "true",
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "JSON_LOGS": "True",
}
# Longer than clients keep an idle connection, so that they close it and never send into one that is being closed.
KEEP_ALIVE = 75
REMOVED = ("DATABASE_URL", "DIRECT_URL", "REDIS_URL", "REDIS_HOST", "LITELLM_WORKER_STARTUP_HOOKS", "WORKER_CONFIG")


def main() -> int:
    """Serve until SIGTERM; 2 if the environment or the configuration is wrong."""
    try:
        settings = read_settings(os.environ)
        config = build_config(settings.config, os.environ)
    except ConfigurationError as error:
        print(f"coderag_gateway: {error}", file=sys.stderr)  # noqa: T201
        return 2
    folder = Path(tempfile.gettempdir()) / "coderag-gateway"
    path = write_config(config.litellm, folder)
    prepare_environment(os.environ, path, write_pages(folder / "pages"))
    drain = Drain(config.options.drain_delay)
    serve(build_app(settings, config, drain), settings, drain)
    return 0


def write_pages(folder: Path) -> Path:
    """Write a user interface of one empty page: LiteLLM copies its own, 20 MB, to /var/lib where it may and finds none.

    These files are what its start looks for (`_is_ui_pre_restructured` and the mounts in `proxy_server`).
    """
    (folder / "_next").mkdir(parents=True, exist_ok=True)
    for name in ("index.html", ".litellm_ui_ready"):
        (folder / name).touch()
    return folder


def prepare_environment(environment: MutableMapping[str, str], config: Path, pages: Path) -> None:
    """Set what LiteLLM reads when it is imported."""
    for name in REMOVED:
        environment.pop(name, None)
    environment.update(FIXED)
    environment["CONFIG_FILE_PATH"] = str(config)
    environment["HOME"] = tempfile.gettempdir()
    environment["LITELLM_UI_PATH"] = environment["LITELLM_ASSETS_PATH"] = str(pages)


def build_app(settings: Settings, config: Configuration, drain: Drain) -> ASGIApp:
    """Return LiteLLM's application between the guard and the transport."""
    import litellm
    from litellm.llms.openai.common_utils import BaseOpenAILLM
    from litellm.proxy.proxy_server import app  # reads the environment when it is imported

    usual = BaseOpenAILLM.get_async_http_client()  # with the proxies and certificates of the environment
    litellm.aclient_session = httpx.AsyncClient(transport=ModelTransport(usual, config.targets))
    warm_up()
    return Guard(app, Callers(settings), drain)


def serve(app: ASGIApp, settings: Settings, drain: Drain) -> None:
    """Listen until SIGTERM and the end of the drain."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has its own handler
    # All of LiteLLM stays: looking through it for garbage again and again stops every stream for a third of a second.
    gc.collect()
    gc.freeze()
    with socket.create_server((settings.host, settings.port)) as listener:
        # asyncio does this only for sockets that it made itself; without it every answer on a kept connection waits
        # 40 ms between its headers and its body. What is accepted inherits it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app,
            log_config=read_log_config(),
            access_log=False,
            loop="asyncio",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        DrainingServer(config, drain).run(sockets=[listener])


def read_log_config() -> Mapping[str, object]:
    """Return LiteLLM's own JSON log format, so that every line has the same one."""
    from litellm._logging import _get_uvicorn_json_log_config

    return _get_uvicorn_json_log_config()
