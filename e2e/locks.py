"""Compile the hash-pinned requirement locks in requirements/ from the pyproject files.

The development lock comes first and constrains the image locks, so that what is tested is what is shipped.
LiteLLM pins much of the world, so the gateway is compiled by itself and tested in an environment of its own.
"""

import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path("requirements")
PARTS = {
    "operator": "operator/pyproject.toml",
    "embedding": "images/embedding/pyproject.toml",
    "model": "images/model/pyproject.toml",
    "rag": "images/rag/pyproject.toml",
    "standins": "e2e/standins/pyproject.toml",
}
FORBIDDEN = re.compile(r"https?://|file://|--index-url|--find-links|^#.*\s/\w+/", re.M)


def compile_lock(name: str, *sources: str) -> None:
    """Write requirements/<name>.txt, or stop with the compiler's own message."""
    target = REQUIREMENTS / f"{name}.txt"
    print(f"Compiling {target}", flush=True)
    subprocess.run(
        [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url",
         "--no-emit-find-links", "--no-emit-trusted-host", "--strip-extras", "--allow-unsafe", "--no-header",
         "--output-file", str(target), *sources],
        check=True,
    )  # fmt: skip
    found = FORBIDDEN.search(target.read_text())
    if found:
        sys.exit(f"{target} names an address or a path of this machine: {found.group(0)!r}")


def main() -> None:
    """Compile every lock."""
    embedding_build = ["--extra", "build", PARTS["embedding"]]
    compile_lock("dev", "requirements/dev.in", *PARTS.values())
    constraint = ("--constraint", str(REQUIREMENTS / "dev.txt"))
    for name, source in PARTS.items():
        compile_lock(name, *constraint, source)
    compile_lock("embedding-build", *constraint, *embedding_build)
    compile_lock("gateway", "images/gateway/pyproject.toml")
    compile_lock("gateway-test", "--extra", "test", "images/gateway/pyproject.toml")


if __name__ == "__main__":
    main()
