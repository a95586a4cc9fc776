"""Credentials for git, read from mounted files at every use, so that a rotated Secret works at once.

They never stand in a URL, an argument or the environment: git asks a tiny script, which prints a file.
"""

import shlex
from pathlib import Path

_ASKPASS = """#!/bin/sh
case "$1" in
  Username*) cat -- "$CODERAG_GIT_USERNAME_FILE" 2>/dev/null || echo x-access-token ;;
  *) cat -- "$CODERAG_GIT_PASSWORD_FILE" ;;
esac
"""


def write_askpass(directory: Path) -> Path:
    """Write the script that git calls for user name and password."""
    path = directory / "askpass"
    path.write_text(_ASKPASS)
    path.chmod(0o700)
    return path


def _private_copy(key: Path, directory: Path) -> Path:
    """A mounted Secret is readable by the group, which ssh refuses."""
    copy = directory / f"key-{key.parent.name}"
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    copy.write_bytes(key.read_bytes().rstrip() + b"\n")
    return copy


def _ssh_command(credentials: Path, directory: Path) -> str:
    key = _private_copy(credentials / "ssh-privatekey", directory)
    known = credentials / "known_hosts"
    checking = "yes" if known.exists() else "accept-new"
    hosts = known if known.exists() else directory / "known_hosts"
    options = f"-o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=10 -o StrictHostKeyChecking={checking}"
    return f"ssh {options} -o UserKnownHostsFile={shlex.quote(str(hosts))} -i {shlex.quote(str(key))}"


def credential_environment(credentials: Path | None, directory: Path) -> dict[str, str]:
    """Return the variables that let git use a credentials folder: `token`, `username` and `password`, or an SSH key."""
    if credentials is None:
        return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10"}
    if (credentials / "ssh-privatekey").exists():
        return {"GIT_SSH_COMMAND": _ssh_command(credentials, directory)}
    token = credentials / "token"
    return {
        "GIT_ASKPASS": str(directory / "askpass"),
        "CODERAG_GIT_USERNAME_FILE": str(credentials / "username"),
        "CODERAG_GIT_PASSWORD_FILE": str(token if token.exists() else credentials / "password"),
    }
