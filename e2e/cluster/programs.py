"""Kubernetes' own programs, Helm and CoreDNS, built from source by Go into the cache.

They come from the Go module proxy because that needs no download site and every byte is checked against go.sum. A build
is keyed by its sources and flags, made in a temporary folder and renamed, so an interrupted one leaves nothing behind.

Kubernetes, Helm and CoreDNS are one module: what they share, above all Kubernetes' client libraries, is compiled once.
That is why Helm and CoreDNS are of the releases that use the same ones.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.commands import last_lines, run
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.paths import PROGRAM_SOURCES, cache, made
from e2e.cluster.progress import say, ticking

GO = (1, 25)
STRIP = "-s -w"
# What is stripped in the end is not written first, and the compiler collects its garbage a quarter as often, up to a
# heap of some gigabytes: a fifth of the processor time.
NO_DEBUGGING = "-gcflags=all=-dwarf=false"
FEWER_COLLECTIONS = {"GOGC": "400", "GOMEMLIMIT": "3GiB"}


@dataclass(frozen=True)
class Program:
    """One folder of programs/: a Go module whose packages are built together; `tool` are those of its `tool` lines."""

    name: str
    packages: tuple[str, ...]
    # By module the linker's flags that write its version, which go.mod names, into the programs.
    stamps: Mapping[str, str] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def sources(self) -> Path:
        """The folder that holds its go.mod."""
        return PROGRAM_SOURCES / self.name


KUBERNETES = Program(
    name="kubernetes",
    packages=("tool", "./coredns"),
    stamps={
        "k8s.io/kubernetes": "-X k8s.io/component-base/version.gitVersion={version}"
        " -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor}",
        "helm.sh/helm/v4": "-X helm.sh/helm/v4/internal/version.version={version}",
    },
    renames={"server": "etcd"},
    why="Go compiles kube-apiserver, kubelet, Helm and six more from source, about 8 min on 2 cores",
)
PAUSE = Program(name="pause", packages=(".",), why="a few seconds")
ALL = (KUBERNETES, PAUSE)


def flags(program: Program) -> list[str]:
    """The arguments of `go build` for it."""
    go_mod = (program.sources / "go.mod").read_text()
    stamps = [stamp(text, module_version(go_mod, module)) for module, text in program.stamps.items()]
    return ["-trimpath", NO_DEBUGGING, "-ldflags", " ".join([STRIP, *stamps])]


def stamp(text: str, version: str) -> str:
    """Linker flags with a version in them."""
    major, minor = version.lstrip("v").split(".")[:2]
    return text.format(version=version, major=major, minor=minor)


def module_version(go_mod: str, module: str) -> str:
    """The version of a module that go.mod requires."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise ClusterError(f"go.mod does not require {module}")
    return found[1]


def key(program: Program) -> str:
    """What the built programs depend on, as a short hash."""
    digest = hashlib.sha256(" ".join([*flags(program), *program.packages]).encode())
    for path in sorted(program.sources.rglob("*")):
        if path.name in ("go.mod", "go.sum") or path.suffix == ".go":
            place = str(path.relative_to(program.sources))
            digest.update(place.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def folder(program: Program) -> Path:
    """Where its built programs are, or will be."""
    return cache() / "programs" / f"{program.name}-{key(program)}" / "bin"


def ensure(*wanted: Program) -> None:
    """Build what is not in the cache yet."""
    for program in wanted or ALL:
        if folder(program).is_dir():
            continue
        with locked(cache() / "programs" / f"{program.name}.lock", f"building {program.name}"):
            if not folder(program).is_dir():
                build(program)


def build(program: Program) -> None:
    """Build into a temporary folder beside the final one, then rename."""
    need_go()
    final = folder(program).parent
    temporary = made(final.parent) / f".{final.name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    with ticking(f"building {program.name} ({program.why}; only the first time)"):
        compile_into(program, made(temporary / "bin"))
    for old, new in program.renames.items():
        (temporary / "bin" / old).rename(temporary / "bin" / new)
    temporary.rename(final)


def compile_into(program: Program, target: Path) -> None:
    """Run `go build`."""
    command = ["go", "build", *flags(program), "-o", f"{target}/", *program.packages]
    log = target.parent / "build.log"
    with log.open("w+") as handle:
        code = subprocess.run(
            command, cwd=program.sources, env=go_environment(), stdout=handle, stderr=handle
        ).returncode
    if code != 0:
        tail = last_lines(subprocess.CompletedProcess(command, code, log.read_text(), ""))
        raise ClusterError(f"building {program.name} failed", tail)


def go_environment() -> dict[str, str]:
    """The caller's own Go settings, but static programs, and a newer toolchain where go.mod asks for one."""
    environment = {**FEWER_COLLECTIONS, **os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    if os.environ.get("GOTOOLCHAIN", "") in ("", "local"):
        environment["GOTOOLCHAIN"] = "auto"
    return environment


def need_go() -> None:
    """Say clearly when Go is missing or too old."""
    remedy = f"install Go {GO[0]}.{GO[1]} or newer and put its bin folder on PATH"
    if not shutil.which("go"):
        raise ClusterError("Go is not installed; the cluster's programs are built with it", remedy)
    text = run(["go", "env", "GOVERSION"], what="asking Go for its version").stdout
    if go_version(text) < GO:
        raise ClusterError(f"Go is too old ({text.strip()})", remedy)


def go_version(text: str) -> tuple[int, int]:
    """(1, 26) from "go1.26.8"."""
    found = re.match(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def binary(name: str) -> Path:
    """The path of a built program."""
    for program in ALL:
        if (path := folder(program) / name).is_file():
            return path
    raise ClusterError(f"{name} is not built yet", "run: python3 -m e2e.cluster programs")


def bin_folder() -> Path:
    """One folder with links to all of them, for PATH; it changes when any of them does."""
    combined = hashlib.sha256("".join(key(program) for program in ALL).encode()).hexdigest()[:12]
    final = cache() / "programs" / f"bin-{combined}"
    if not final.is_dir():
        temporary = final.with_name(f".{final.name}.{os.getpid()}")
        for program in ALL:
            link_all(folder(program), made(temporary))
        try:
            temporary.rename(final)
        except OSError:  # another run was first
            shutil.rmtree(temporary)
    return final


def bin_if_built() -> str:
    """That folder, or nothing while a program is missing."""
    return str(bin_folder()) if all(folder(program).is_dir() for program in ALL) else ""


def link_all(source: Path, target: Path) -> None:
    """Link every program of one folder into another."""
    if not source.is_dir():
        raise ClusterError(f"{source.parent.name} is not built yet", "run: python3 -m e2e.cluster programs")
    for path in source.iterdir():
        (target / path.name).symlink_to(path)


def clean() -> None:
    """Remove every built program."""
    shutil.rmtree(cache() / "programs", ignore_errors=True)
    say(f"removed {cache() / 'programs'}")
