"""The gateway without its door, to see what LiteLLM enforces by itself.

Writes down on the way which routes LiteLLM has, what it imports once requests come, and what is looked through for
garbage then.
"""

import gc
import json
import re
import sys
import tempfile
from pathlib import Path

from coderag_gateway import serve


def list_routes(routes):
    """Return each method and path, parameters filled in."""
    for route in routes:
        if hasattr(route, "effective_candidates"):  # FastAPI keeps included routers as a tree
            yield from list_routes(route.effective_candidates())
        else:
            path = re.sub(r"\{[^}]*\}", "x", route.path) or "/"
            yield from ((method, path) for method in getattr(route, "methods", None) or ["GET"])


def open_door(app, *others):
    """Stand in for the guard and let everything pass."""
    found = sorted(set(list_routes(app.routes)))
    write("routes.json", found)
    return note_imports(app)


def note_imports(app):
    """Pass everything on; write down which modules were loaded since the first request came."""
    loaded = set()

    async def serve_one(scope, receive, send):
        async def send_and_write(message):
            write("imports.json", sorted(set(sys.modules) - loaded))
            await send(message)

        if scope["type"] == "http" and not loaded:
            loaded.update(sys.modules)
            write("garbage.json", {"looked_through": len(gc.get_objects()), "left_out": gc.get_freeze_count()})
        await app(scope, receive, send_and_write if scope["type"] == "http" else send)

    return serve_one


def write(name, found):
    """Leave what was found for the tests."""
    (Path(tempfile.gettempdir()) / name).write_text(json.dumps(found))


serve.Guard = open_door
sys.exit(serve.main())
