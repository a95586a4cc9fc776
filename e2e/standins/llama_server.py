"""llama-server on this machine, for service tests: `python3 -m e2e.standins.llama_server` prints where it is.

Taken out of the image if that is built from the same sources, else built by the image's own script (about 5 minutes),
and kept in the cache under a hash of the recipe.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.paths import REPOSITORY, cache, made
from e2e.cluster.progress import ticking

RECIPE = ("images/llama/build.sh", "requirements/llama-source.txt", "requirements/llama-build.txt")
NAME = "llama-server"
IMAGE = "localhost/coderag-llama:dev"
LIMIT = 3600.0


def recipe_hash() -> str:
    """Return a hash of everything that decides what the program is, counted as the build script counts it."""
    parts = [(REPOSITORY / name).read_bytes() for name in RECIPE]
    extra = os.environ.get("CMAKE_EXTRA", "").encode() + b"\n"
    return hashlib.sha256(b"".join([*parts, extra])).hexdigest()[:12]


def program() -> Path:
    """Return where the program is or will be."""
    return cache() / "programs" / f"{NAME}-{recipe_hash()}" / "bin" / NAME


def ensure() -> Path:
    """Return the program, made if it is missing."""
    final = program()
    if not final.is_file():
        with locked(cache() / "programs" / f"{NAME}.lock", f"building {NAME}"):
            if not final.is_file():
                make(final)
    return final


def make(final: Path) -> None:
    """Make the program beside its place and rename, so that an interrupted build leaves nothing half done."""
    folder = final.parent.parent
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    target = made(temporary / "bin") / NAME
    if not copy_from_image(target):
        build(target)
    temporary.rename(folder)


def copy_from_image(target: Path) -> bool:
    """Take the program out of a local image that was built by this very recipe; tell whether there was one."""
    if not shutil.which("buildah") or not has_image():
        return False
    container = buildah("from", "--pull-never", IMAGE)
    try:
        inside = Path(buildah("mount", container)) / "usr/local"
        recipe = inside / "share" / f"{NAME}.recipe"
        if not recipe.is_file() or recipe.read_text().strip() != recipe_hash():
            return False
        shutil.copy2(inside / "bin" / NAME, target)
    finally:
        buildah("rm", container)
    return True


def has_image() -> bool:
    """Tell whether the image is in local storage."""
    command = ["buildah", "inspect", "--type", "image", IMAGE]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def buildah(*words: str) -> str:
    """Run buildah and return what it prints."""
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise ClusterError(f"taking {NAME} out of {IMAGE} failed", done.stderr.strip()[-500:])
    return done.stdout.strip()


def build(target: Path) -> None:
    """Compile, at low priority, with the output in a log beside the cache."""
    log = made(cache() / "programs") / f"{NAME}.log"
    command = ["nice", "-n", "10", str(REPOSITORY / RECIPE[0]), str(REPOSITORY / "requirements"), str(target.parent)]
    with ticking(f"building {NAME} from source (about 5 minutes, only the first time)", every=30), log.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=out, timeout=LIMIT, env=dict(os.environ), check=False)
    if done.returncode:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ClusterError(f"building {NAME} failed, log: {log}", tail)


def main() -> int:
    """Print the path of the program."""
    try:
        print(ensure())
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
