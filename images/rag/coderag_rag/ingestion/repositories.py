"""The configuration file: which repositories to index and how. Errors name the field and the remedy."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from croniter import croniter

from coderag_rag.env import InvalidSetting
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^:]+")
_SCHEMES = frozenset({"https", "http", "ssh"})
_MOST = 100  # refs, paths or patterns of one repository
_RECONCILE = "17 3 * * *"
AUTO, MANUAL = "Auto", "Manual"


@dataclass(frozen=True)
class RepositoryConfig:
    """One repository to index: its main ref, further refs, and which files of them."""

    name: str
    url: str
    ref: str
    schedule: str | None
    credentials: Path | None
    refs: tuple[str, ...] = ()
    wanted: Wanted = EVERYTHING
    webhook_secret: Path | None = None

    @property
    def all_refs(self) -> tuple[str, ...]:
        """The main ref, then the others."""
        return (self.ref, *self.refs)


@dataclass(frozen=True)
class Config:
    """What the configuration file says."""

    repositories: tuple[RepositoryConfig, ...]
    promotion: str = AUTO
    reconcile_schedule: str = _RECONCILE


def check_text(value: object, where: str, remedy: str) -> str:
    """Return a text without line breaks and blank ends."""
    if not isinstance(value, str) or not value.strip() or value != value.strip() or "\n" in value or "\0" in value:
        raise InvalidSetting(where, "is missing or not a plain text", remedy)
    return value


def check_url(value: object, where: str, allow_file: bool) -> str:
    """Return the address of a repository that holds no credentials."""
    url = check_text(value, where, "give the address of a Git repository")
    if url.startswith("-"):
        raise InvalidSetting(where, "begins with a dash", "give the address of a Git repository")
    if _SCP_LIKE.fullmatch(url):
        return url
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES | ({"file"} if allow_file else set()):
        raise InvalidSetting(where, "has a protocol that is not allowed", "use https, http or ssh")
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise InvalidSetting(where, "holds credentials", "put them into a Secret and name its folder")
    return url


def check_ref(value: object, where: str) -> str:
    """Return a branch, tag, full ref name or commit."""
    ref = check_text(value, where, "give a branch, a tag or a commit")
    if ref.startswith("-") or re.search(r"[\s~^:?*\[\\]|\.\.|@\{", ref):
        raise InvalidSetting(where, "is not a valid Git ref", "give a branch, a tag or a commit")
    return ref


def check_cron(value: object, where: str) -> str:
    """Return a cron expression of five fields."""
    schedule = check_text(value, where, 'use a cron expression like "*/15 * * * *"')
    if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
        raise InvalidSetting(where, "is not a cron expression", 'use five fields like "*/15 * * * *"')
    return schedule


def check_path(value: object, where: str) -> str:
    """Return a folder or file inside a repository."""
    path = check_text(value, where, 'use a folder like "src"').removeprefix("./").rstrip("/")
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise InvalidSetting(where, "is not a path inside the repository", 'use a folder like "src"')
    return path


def check_pattern(value: object, where: str) -> str:
    """Return a glob on paths."""
    return check_text(value, where, 'use a glob like "**/*.py"')


def check_list(value: object, where: str, check: Callable[[object, str], str]) -> tuple[str, ...]:
    """Return the checked members of a list; none for a missing one. Members keep their order and come once."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST:
        raise InvalidSetting(where, "is not a list", f"write a list of at most {_MOST}, or leave it out")
    return tuple(dict.fromkeys(check(one, f"{where}[{n}]") for n, one in enumerate(value)))


def check_wanted(row: dict[str, Any], where: str) -> Wanted:
    """Return which files are wanted."""
    return Wanted(
        check_list(row.get("paths"), f"{where}paths", check_path),
        check_list(row.get("include"), f"{where}include", check_pattern),
        check_list(row.get("exclude"), f"{where}exclude", check_pattern),
    )


def check_folder(value: object, where: str) -> Path | None:
    """Return the folder of a mounted Secret."""
    if value is not None and not (isinstance(value, str) and Path(value).is_dir()):
        raise InvalidSetting(where, "is not a folder", "mount the Secret or leave it out")
    return value and Path(value)


def _secret_file(value: object, where: str) -> Path | None:
    """The file may come later: it is read when a webhook arrives."""
    return None if value is None else Path(check_text(value, where, "give the path of a mounted file or leave it out"))


def _refs(row: dict[str, Any], where: str, main: str) -> tuple[str, ...]:
    refs = check_list(row.get("refs"), f"{where}.refs", check_ref)
    return tuple(ref for ref in refs if ref != main)


def _repository(row: Any, where: str, allow_file: bool) -> RepositoryConfig:
    if not isinstance(row, dict):
        raise InvalidSetting(where, "is not an object", "give name, url, ref and schedule")
    name = check_text(row.get("name"), f"{where}.name", "give the repository a name")
    if not _NAME.fullmatch(name):
        raise InvalidSetting(f"{where}.name", "has other characters", "use letters, digits, dots and dashes")
    ref, schedule = check_ref(row.get("ref"), f"{where}.ref"), row.get("schedule")
    return RepositoryConfig(
        name=name,
        url=check_url(row.get("url"), f"{where}.url", allow_file),
        ref=ref,
        schedule=None if schedule is None else check_cron(schedule, f"{where}.schedule"),
        credentials=check_folder(row.get("credentialsDir"), f"{where}.credentialsDir"),
        refs=_refs(row, where, ref),
        wanted=check_wanted(row, f"{where}."),
        webhook_secret=_secret_file(row.get("webhookSecretFile"), f"{where}.webhookSecretFile"),
    )


def _body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidSetting(
            "INGESTION_CONFIG", f"is not JSON ({error})", "write an object with repositories"
        ) from None
    if not isinstance(body, dict) or not isinstance(body.get("repositories"), list):
        raise InvalidSetting("repositories", "is missing or not a list", "write a list, empty if there is none")
    return body


def parse_config(text: str, allow_file: bool = False) -> Config:
    """Return what the configuration file says; raises InvalidSetting."""
    body = _body(text)
    found = tuple(_repository(row, f"repositories[{n}]", allow_file) for n, row in enumerate(body["repositories"]))
    names = [repository.name for repository in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidSetting("repositories", f"has the name {twice!r} twice", "give every repository its own name")
    promotion = body.get("promotion") or AUTO
    if promotion not in (AUTO, MANUAL):
        raise InvalidSetting("promotion", "is neither Auto nor Manual", "use one of the two")
    return Config(found, promotion, check_cron(body.get("reconcileSchedule") or _RECONCILE, "reconcileSchedule"))
