"""Compile the hash-pinned requirement locks in requirements/ from the pyproject files.

The development lock comes first and constrains the image locks, so that what is tested is what is shipped.
LiteLLM pins much of the world, so the gateway is compiled by itself and tested in an environment of its own.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

REQUIREMENTS = Path("requirements")
PARTS = {
    "operator": "operator/pyproject.toml",
    "embedding": "images/embedding/pyproject.toml",
    "model": "images/model/pyproject.toml",
    "rag": "images/rag/pyproject.toml",
    "evaluation": "images/evaluation/pyproject.toml",
    "standins": "e2e/standins/pyproject.toml",
}
GATEWAY = "images/gateway/pyproject.toml"
FORBIDDEN = re.compile(r"https?://|file://|--index-url|--find-links")


def read_dependencies(pyproject: str, *groups: str) -> list[str]:
    """Return what a pyproject needs to run, and what its dependency groups add (groups it lacks add nothing)."""
    document = tomllib.loads(Path(pyproject).read_text())
    return [*document["project"].get("dependencies", []), *read_groups(pyproject, *groups)]


def read_groups(pyproject: str, *groups: str) -> list[str]:
    """Return what dependency groups of a pyproject hold (groups it lacks hold nothing)."""
    known = tomllib.loads(Path(pyproject).read_text()).get("dependency-groups", {})
    return [item for group in groups for item in known.get(group, [])]


def compile_lock(name: str, dependencies: list[str], constraint: str | None = None) -> None:
    """Write requirements/<name>.txt, or stop with the compiler's own message."""
    target = REQUIREMENTS / f"{name}.txt"
    print(f"Compiling {target}", flush=True)
    options = ["--quiet", "--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-header", "--no-annotate",
               "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]  # fmt: skip
    if constraint:
        options += ["--constraint", str(REQUIREMENTS / f"{constraint}.txt")]
    subprocess.run(
        [sys.executable, "-m", "piptools", "compile", *options, "--output-file", str(target), "-"],
        input="\n".join(sorted(set(dependencies))), text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found = FORBIDDEN.search(target.read_text())
    if found:
        sys.exit(f"{target} names an address: {found.group(0)!r}")


def main() -> None:
    """Compile every lock."""
    development = read_dependencies("pyproject.toml", "dev")
    for path in PARTS.values():
        development += read_dependencies(path, "test", "build")
    compile_lock("dev", development)
    for name, path in PARTS.items():
        compile_lock(name, read_dependencies(path), constraint="dev")
    compile_lock("embedding-build", read_dependencies(PARTS["embedding"], "build"), constraint="dev")
    compile_lock("rag-lexicon", read_groups(PARTS["rag"], "build"), constraint="dev")
    compile_lock("gateway", read_dependencies(GATEWAY))
    compile_lock("gateway-test", read_dependencies(GATEWAY, "test"))


if __name__ == "__main__":
    main()
