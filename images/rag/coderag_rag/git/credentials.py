"""Credentials for git, read from mounted files at every use, so that a rotated Secret works at once.

They never stand in a URL, an argument or the environment: git asks a tiny script, which prints a file.
"""

import shlex
from pathlib import Path

from coderag_rag.git.errors import GitError

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
    content = key.read_bytes().rstrip() + b"\n"
    if not copy.exists() or copy.read_bytes() != content:
        fresh = copy.with_name(f"{copy.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(content)
        fresh.replace(copy)  # in one step: another git may be reading it
    return copy


def _ssh_command(credentials: Path, directory: Path) -> str:
    known = credentials / "known_hosts"
    if not known.exists():
        raise GitError("known_hosts is missing beside ssh-privatekey: add the host's key, as ssh-keyscan prints it")
    key = _private_copy(credentials / "ssh-privatekey", directory)
    options = "-F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=yes"
    return f"ssh {options} -o UserKnownHostsFile={shlex.quote(str(known))} -i {shlex.quote(str(key))}"


def credential_environment(credentials: Path | None, directory: Path) -> dict[str, str]:
    """Return the variables that let git use a credentials folder: `token`, `username` and `password`, or an SSH key.

    An SSH key is `ssh-privatekey` with `known_hosts`; raises GitError where the latter is missing.
    """
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
