"""The collections and aliases on disk: which exist, how they were made, which engine serves them.

A collection is a folder with `settings.json`, written last and atomically: a folder without it is an unfinished
creation or deletion and is removed at start.
"""

import json
import os
import shutil
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from e2e.standins.qdrant.errors import conflict, no_collection, not_found, wrong_input
from e2e.standins.qdrant.process import EngineProcess

Json = dict[str, Any]
FORBIDDEN = frozenset('/\\<>:"|?*\0')
MAX_NAME = 255


class Catalog:
    """Collections and aliases of one storage folder."""

    def __init__(self, root: Path) -> None:
        """Open every collection found under the folder."""
        self._root = root
        self._lock = threading.RLock()
        self._engines: dict[str, EngineProcess] = {}
        self._settings: dict[str, Json] = {}
        (root / "collections").mkdir(parents=True, exist_ok=True)
        self.aliases: dict[str, str] = read_json(root / "aliases.json") or {}
        for folder in sorted((root / "collections").iterdir()):
            self._open(folder)

    def names(self) -> list[str]:
        """Return the names of the collections."""
        return sorted(self._engines)

    def resolve(self, name: str) -> str:
        """Return the collection behind a name or an alias."""
        found = name if name in self._engines else self.aliases.get(name)
        if found is None:
            raise no_collection(name)
        return found

    def submit(self, name: str, method: str, *arguments: Any) -> Future[Any]:
        """Run a method of the engine behind a name or an alias in its turn."""
        engine = self._engines.get(self.resolve(name))
        if engine is None:
            raise no_collection(name)
        return engine.submit(method, *arguments)

    def call(self, name: str, method: str, *arguments: Any) -> Any:
        """Run a method of the engine behind a name or an alias, and wait for it."""
        return self.submit(name, method, *arguments).result()

    def settings(self, name: str) -> Json:
        """Return what the collection was made with."""
        return self._settings[self.resolve(name)]

    def create(self, name: str, settings: Json) -> None:
        """Make a collection."""
        check_name(name)
        with self._lock:
            if name in self._engines or name in self.aliases:
                raise conflict(name)
            folder = self._folder(name)
            shutil.rmtree(folder, ignore_errors=True)  # left by a creation that failed
            folder.mkdir()
            self._engines[name] = EngineProcess(folder / "shard", settings)
            self._settings[name] = settings
            write_json(folder / "settings.json", settings)

    def change(self, name: str, settings: Json) -> None:
        """Merge settings that may change after creation."""
        with self._lock:
            found = self.resolve(name)
            metadata = {**(self._settings[found].get("metadata") or {}), **(settings.get("metadata") or {})}
            merged = self._settings[found] | settings
            self._settings[found] = merged | ({"metadata": metadata} if metadata else {})
            write_json(self._folder(found) / "settings.json", self._settings[found])

    def delete(self, name: str) -> bool:
        """Remove a collection with its aliases; tell whether there was one."""
        with self._lock:
            engine = self._engines.pop(name, None)
            if engine is None:
                return False
            del self._settings[name]
            self._save_aliases({alias: target for alias, target in self.aliases.items() if target != name})
            engine.close()
            (self._folder(name) / "settings.json").unlink()
            shutil.rmtree(self._folder(name))
            return True

    def change_aliases(self, actions: list[Json]) -> None:
        """Apply alias actions one after the other; those before one that cannot be stay done, as in the server."""
        with self._lock:
            for action in actions:
                changed = dict(self.aliases)
                self._change_alias(changed, action)
                self._save_aliases(changed)

    def close(self) -> None:
        """Flush and end every engine."""
        for engine in self._engines.values():
            engine.close()

    def _change_alias(self, aliases: dict[str, str], action: Json) -> None:
        if body := action.get("create_alias"):
            self._check_target(body)
            aliases[body["alias_name"]] = body["collection_name"]
            return
        if body := action.get("delete_alias"):
            aliases.pop(body["alias_name"], None)
            return
        body = action["rename_alias"]
        if body["old_alias_name"] not in aliases:
            raise not_found(f"Alias {body['old_alias_name']} does not exists!")
        aliases[body["new_alias_name"]] = aliases.pop(body["old_alias_name"])

    def _check_target(self, body: Json) -> None:
        if body["collection_name"] not in self._engines:
            raise no_collection(body["collection_name"])
        if body["alias_name"] in self._engines:
            raise conflict(body["alias_name"])

    def _save_aliases(self, aliases: dict[str, str]) -> None:
        write_json(self._root / "aliases.json", aliases)
        self.aliases = aliases

    def _open(self, folder: Path) -> None:
        settings = read_json(folder / "settings.json")
        if settings is None:
            shutil.rmtree(folder)
            return
        self._engines[folder.name] = EngineProcess(folder / "shard", settings)
        self._settings[folder.name] = settings

    def _folder(self, name: str) -> Path:
        return self._root / "collections" / name


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder."""
    if not name or len(name) > MAX_NAME or name.strip(".") == "" or FORBIDDEN & set(name):
        raise wrong_input(f"collection name {name!r} must be 1 to {MAX_NAME} characters without {''.join(FORBIDDEN)!r}")


def read_json(path: Path) -> Json | None:
    """Return the file's content, or None where there is no file."""
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, content: Json) -> None:
    """Replace the file in one step, so that a reader after a crash finds the old content or the new."""
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
