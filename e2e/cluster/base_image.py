"""The image that every other starts from when none can be pulled: Debian bookworm with Python, made by debootstrap."""

import shutil
import tempfile
from pathlib import Path

from e2e.cluster import programs
from e2e.cluster.commands import run
from e2e.cluster.locks import locked
from e2e.cluster.paths import cache, made
from e2e.cluster.progress import ticking

BASE = "localhost/coderag-base:bookworm"
PAUSE = "localhost/coderag-pause:dev"
SUITE = "bookworm"
INCLUDE = "ca-certificates,python3,python3-venv"
WASTE = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/info", "var/log")


def image_id(reference: str) -> str:
    """The id of an image in local storage; empty when it is not there."""
    done = run(
        ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference],
        what=f"looking for {reference}",
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def ensure_base() -> str:
    """Build the base image if it is not there; its id."""
    with locked(cache() / "images" / "base.lock", "building the base image"):
        if not image_id(BASE):
            with ticking(f"making the base image (Debian {SUITE} with Python, by debootstrap; only the first time)"):
                build_base()
    return image_id(BASE)


def build_base() -> None:
    """A minimal root file system, slimmed, as one layer."""
    with tempfile.TemporaryDirectory(dir=made(cache() / "images"), prefix=".base-") as scratch:
        root = Path(scratch) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", SUITE, root]
        run([*command, *mirror()], what="making the root file system of the base image", timeout=1200)
        slim(root)
        commit(root, BASE, env=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"])


def mirror() -> list[str]:
    """The mirror that this machine's own apt uses for the same suite; debootstrap's default otherwise."""
    done = run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages"],
        what="asking apt for its mirror",
        check=False,
    )
    sites = [line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == [SUITE]]
    return sites[:1]


def slim(root: Path) -> None:
    """Drop what no container reads; the folders stay, because package scripts expect them."""
    for name in WASTE:
        for path in (root / name).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in root.rglob("__pycache__"):
        shutil.rmtree(path)


def commit(root: Path, reference: str, env: list[str] = [], entrypoint: str = "") -> None:  # noqa: B006
    """Make an image of one layer from a folder."""
    container = run(["buildah", "from", "scratch"], what="starting an image").stdout.strip()
    try:
        run(["buildah", "copy", "--quiet", container, root, "/"], what=f"filling {reference}", timeout=600)
        settings = [part for each in env for part in ("--env", each)]
        settings += ["--entrypoint", f'["{entrypoint}"]'] if entrypoint else ["--cmd", "/bin/sh"]
        run(["buildah", "config", *settings, container], what=f"describing {reference}")
        run(["buildah", "commit", "--quiet", container, reference], what=f"committing {reference}", timeout=600)
    finally:
        run(["buildah", "rm", container], what="removing the build container", check=False)


def ensure_pause() -> str:
    """Build the image that holds a pod's namespaces, if it is not there; its id."""
    programs.ensure(programs.PAUSE)
    with locked(cache() / "images" / "pause.lock", "building the pause image"):
        if not image_id(PAUSE):
            with tempfile.TemporaryDirectory(dir=made(cache() / "images"), prefix=".pause-") as scratch:
                shutil.copy(programs.binary("pause"), Path(scratch) / "pause")
                commit(Path(scratch), PAUSE, entrypoint="/pause")
    return image_id(PAUSE)
