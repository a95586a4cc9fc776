"""What can go wrong with a remote, in words for the person who configured it."""

import re


class GitError(Exception):
    """A git command failed; the message names the cause and the remedy and holds no credential."""


class UnknownRef(GitError):  # noqa: N818 - reads as the state it names
    """The remote has no such branch, tag or commit."""


class EmptyRepository(GitError):  # noqa: N818 - reads as the state it names
    """The remote has no commit at all."""


_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
_CAUSES = (
    (r"load key .*(invalid format|error in libcrypto)", "the SSH key cannot be read: it must have no passphrase"),
    (r"host key verification failed", "the SSH host key is not known: put known_hosts beside the key"),
    (
        r"authentication failed|could not read (username|password)|permission denied|error: 40[13]",
        "authentication failed: check the credentials of this repository",
    ),
    (r"repository .*not found|error: 404|does not appear to be a git repository", "no Git repository at this URL"),
    (
        r"unadvertised object|not our ref",
        "the remote does not give out this commit: use a branch or a tag",
    ),
    (r"could not resolve host", "the host name cannot be resolved: check the URL and the cluster's DNS"),
    (r"certificate|ssl", "the TLS certificate is not trusted: add the CA bundle"),
    (r"transport '.*' not allowed", "this protocol is not allowed: use https or ssh"),
    (
        r"unable to connect|failed to connect|couldn't connect|connection (refused|timed out|reset)|no route to host"
        r"|network is unreachable|operation too slow|empty reply",
        "the remote is not reachable",
    ),
)


def explain(stderr: str) -> str:
    """Return a clear message for what git printed, with its last line and without credentials."""
    lines = [line.strip() for line in _CREDENTIALS.sub(r"\1", stderr).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    last = telling[-1][:300] if telling else "git said nothing"
    cause = next((meaning for pattern, meaning in _CAUSES if re.search(pattern, stderr, re.I)), "git failed")
    return f"{cause} ({last})"
