"""Runs git: a fixed environment, a deadline, and no way to ask a person anything."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from coderag_rag.git.errors import GitError, explain

# What a proxy or a private CA needs; everything else of the process environment stays out.
_PASSED_ON = ("PATH", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")
_CA_BUNDLE = "SSL_CERT_FILE"


def base_environment(allow_file: bool, source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of every git process."""
    environment = {name: source[name] for name in _PASSED_ON if name in source}
    if source.get(_CA_BUNDLE):
        environment["GIT_SSL_CAINFO"] = source[_CA_BUNDLE]
    return environment | {
        "GIT_ALLOW_PROTOCOL": "https:http:ssh" + (":file" if allow_file else ""),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


@dataclass(frozen=True)
class Git:
    """How to run git: its environment, a deadline for one command, and credentials that are looked up at every use."""

    environment: Mapping[str, str]
    timeout: float = 600.0
    credentials: Callable[[], Mapping[str, str]] = dict

    async def start(self, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        """Start a git process in a session of its own, so that its helpers can be ended with it."""
        options = ("-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "http.lowSpeedLimit=1000")
        return await asyncio.create_subprocess_exec(
            "git", *options, "-c", "http.lowSpeedTime=60", *arguments,
            stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**self.environment, **self.credentials()}, start_new_session=True,
        )  # fmt: skip

    async def run(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> tuple[int, bytes]:
        """Run a command to its end and return exit code and output."""
        process = await self.start(*arguments)
        try:
            async with asyncio.timeout(self.timeout):
                output, complaint = await process.communicate()
        except TimeoutError:
            raise GitError(f"git {arguments[0]} took longer than {self.timeout:g} s") from None
        finally:
            await end(process)
        code = process.returncode or 0
        if code not in accept:
            raise GitError(explain(complaint.decode(errors="replace")))
        return code, output


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process and its helpers, if it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
