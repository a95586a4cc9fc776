"""A small repository of a scenario's own, and the way what is committed there reaches the cluster."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e import install
from e2e.demo.answers import post


class Remote:
    """A repository of files with one function each."""

    def __init__(self, stack, name, folder: Path):
        self.stack, self.name, self.folder, self.key = stack, name, folder, stack.key()
        self.host = f"standins-git.{stack.namespace}.svc"
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        """Run git in the folder."""
        person = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"]
        subprocess.run(["git", *person, *words], cwd=self.folder, check=True)

    def push(self, *names: str) -> None:
        """Commit a file with one function for each name, and push them."""
        for name in names:
            (self.folder / f"{name}.py").write_text(f"def {name}():\n    return 1\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Add {', '.join(names)}")
        install.push_repository(self.stack.cluster, self.stack.namespace, self.stack.token, self.name, self.folder)

    def search(self, query: str) -> dict:
        """Return what a search of this repository answers, through the Service as it stands now."""
        with self.stack.cluster.forward(self.stack.namespace, f"service/{self.stack.name}-rag", 8002) as url:
            return post(url, self.key, "/v1/search", {"query": query, "repositories": [self.name]})

    def finds(self, function: str) -> bool:
        """Tell whether a search for a function answers with its file."""
        return any(hit["path"] == f"{function}.py" for hit in self.search(function)["hits"])


@contextmanager
def indexed(stack, repository: dict, beside: bool) -> Iterator[None]:
    """Let the stack index a repository, beside its own or in their place; the spec is as it was afterwards."""
    before = stack.get("crs", stack.name)["spec"]["repositories"]
    stack.patch({"repositories": [*(before if beside else []), repository]})
    stack.wait("Ready", "IndexReady")
    yield
    stack.patch({"repositories": before})
