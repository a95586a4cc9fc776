"""How much memory this container may use, which the kernel tells and the host's size does not."""

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MIB = 1024 * 1024
_NO_LIMIT = 1 << 50  # cgroup v1 says it with the largest number that it can


def memory_limit_mib(cgroup: Path = _CGROUP) -> int:
    """Return the limit in MiB by cgroup v2, then v1; 0 when there is none or none can be read."""
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            limit = int(file.read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        return limit // _MIB if limit < _NO_LIMIT else 0
    return 0
