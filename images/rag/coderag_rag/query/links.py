"""Links to lines of a commit on the host of a repository, made from the URL that it is fetched from.

A link never holds what stood before the `@` of that URL, nor its query: only host, port and path are taken over. Where
the kind of host cannot be told from its name and was not configured, there is no link: a wrong one is worse than none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit


class HostKind(StrEnum):
    """Software that shows repositories."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET = "bitbucket"
    BITBUCKET_SERVER = "bitbucket-server"


_BY_HOST = (
    (re.compile(r"(?:^|[.-])bitbucket\.org$"), HostKind.BITBUCKET),
    (re.compile(r"(?:^|[.-])github(?:[.-]|$)"), HostKind.GITHUB),
    (re.compile(r"(?:^|[.-])gitlab(?:[.-]|$)"), HostKind.GITLAB),
    (re.compile(r"(?:^|[.-])(?:gitea|forgejo|codeberg)(?:[.-]|$)"), HostKind.GITEA),
    (re.compile(r"(?:^|[.-])(?:bitbucket|stash)(?:[.-]|$)"), HostKind.BITBUCKET_SERVER),
)
_TEMPLATES = {
    HostKind.GITHUB: "{web}/blob/{commit}/{path}#L{start}-L{end}",
    HostKind.GITLAB: "{web}/-/blob/{commit}/{path}#L{start}-{end}",
    HostKind.GITEA: "{web}/src/commit/{commit}/{path}#L{start}-L{end}",
    HostKind.BITBUCKET: "{web}/src/{commit}/{path}#lines-{start}:{end}",
    HostKind.BITBUCKET_SERVER: "{web}/browse/{path}?at={commit}#{start}-{end}",
}
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)")
_HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")


@dataclass(frozen=True)
class Remote:
    """Where a repository is fetched from, and the kind of its host where its name does not tell."""

    url: str
    kind: HostKind | None = None


class Links:
    """Makes links for the repositories whose URL is known."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._sites = {name: site for name, remote in remotes.items() if (site := _site(remote))}

    def line(self, repository: str, commit: str, path: str, start: int, end: int) -> str | None:
        """Return the address of lines (1-based, inclusive) of a commit; None where there is none to be made."""
        if repository not in self._sites:
            return None
        web, kind = self._sites[repository]
        return _TEMPLATES[kind].format(web=web, commit=quote(commit), path=quote(path), start=start, end=end)


def _site(remote: Remote) -> tuple[str, HostKind] | None:
    """Return the address of a repository's pages and the kind of its host."""
    address = _address(remote.url)
    if address is None:
        return None
    scheme, host, port, path = address
    kind = remote.kind or next((kind for pattern, kind in _BY_HOST if pattern.search(host)), None)
    if kind is None:
        return None
    path = _server_path(path) if kind is HostKind.BITBUCKET_SERVER else path
    return f"{scheme}://{host}{port}/{quote(path)}", kind


def _address(url: str) -> tuple[str, str, str, str] | None:
    """Return scheme, host, port and path of the pages; ssh has a port of its own, so it is left out there."""
    scp = None if "://" in url else _SCP_LIKE.fullmatch(url.strip())
    if scp:
        return _checked("https", scp["host"], "", scp["path"])
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port and parts.scheme != "ssh" else ""
    except ValueError:
        return None
    if parts.scheme not in ("https", "http", "ssh"):
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return _checked("http" if parts.scheme == "http" else "https", host, port, parts.path)


def _checked(scheme: str, host: str, port: str, path: str) -> tuple[str, str, str, str] | None:
    host, path = host.lower(), path.strip("/").removesuffix(".git").strip("/")
    return (scheme, host, port, path) if path and _HOST.fullmatch(host) else None


def _server_path(path: str) -> str:
    """Bitbucket Server shows `scm/PROJECT/name`, or `PROJECT/name` over ssh, under other folders than it serves it."""
    before, _, rest = f"/{path}".rpartition("/scm/")
    folders, _, name = (rest if before or path.startswith("scm/") else path).rpartition("/")
    owner = folders.rpartition("/")[2]
    shown = f"users/{owner[1:]}" if owner.startswith("~") else f"projects/{owner.upper()}"
    return "/".join(part for part in (before.strip("/"), shown, "repos", name) if part)
