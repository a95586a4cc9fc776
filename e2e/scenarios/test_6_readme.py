"""What the README tells a reader to type works; only names and what would install twice are changed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from e2e.standins.tiny_gguf import write_all

SHELL = re.compile(r"```sh\n(.*?)```", re.S)
RESOURCE = re.compile(r"```yaml\n(.*?)```", re.S)
# `make demo` and `make test` bring up and run what this run is a part of.
ELSEWHERE = {"make demo", "make test"}
DRY = {"helm upgrade": "--dry-run=server", "kubectl apply": "--dry-run=server"}
PARTS = ("operator", "images/model")
README = Path("README.md").read_text()


def read_commands():
    lines = [line for block in SHELL.findall(README) for line in block.splitlines() if line.strip()]
    return [line for line in lines if line not in ELSEWHERE]


@pytest.mark.parametrize("line", [line for line in read_commands() if line.startswith("coderag ")])
def test_a_command_of_the_readme_that_needs_no_cluster_runs(line, tmp_path):
    write_all(tmp_path)
    program = [sys.executable, "-m", "coderag_operator.commands.coderag"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(part).absolute()) for part in PARTS)}
    words = [*program, *shlex.split(line)[1:]]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "chat" in done.stdout


@pytest.mark.parametrize("line", [line for line in read_commands() if not line.startswith("coderag ")])
def test_a_command_of_the_readme_runs(stack, line):
    words = shlex.split(line.replace("assistant", stack.name))
    words += [option for start, option in DRY.items() if line.startswith(start)]
    program = {"kubectl": stack.cluster.kubectl_program, "helm": stack.cluster.helm_program}[words[0]]
    if words[0] == "kubectl" and "-n" not in words:
        words += ["-n", stack.namespace]
    environment = {**os.environ, "KUBECONFIG": str(stack.cluster.kubeconfig)}
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr


def test_the_resource_in_the_readme_is_one_that_the_api_server_takes(stack, tmp_path):
    body = yaml.safe_load(RESOURCE.findall(README)[0].replace("…64 hex digits…", "0" * 64))
    (tmp_path / "stack.yaml").write_text(yaml.safe_dump(body))
    options = ("--server-side", "--dry-run=server", "--validate=strict", "-f", str(tmp_path / "stack.yaml"))
    assert "assistant" in stack.kubectl("apply", *options)


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_one_that_the_api_server_takes(stack, path):
    stack.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", str(path)
    )
