"""Write the generated files, or with --check tell which of them are stale.

The CRD comes from the pydantic models of the operator; the chart carries a copy: Helm reads only its own folder.
"""

import argparse
import sys
from pathlib import Path

from coderag_operator.api import crd

TARGETS = (Path("crds/coderagstacks.coderag.dev.yaml"), Path("charts/coderag/files/coderagstacks.coderag.dev.yaml"))


def find_stale(text: str) -> list[Path]:
    """Return the targets whose content is not `text`."""
    return [path for path in TARGETS if not path.exists() or path.read_text() != text]


def main() -> int:
    """Write or check every generated file."""
    parser = argparse.ArgumentParser(prog="python -m e2e.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is stale")
    check = parser.parse_args().check
    text = crd.render()
    stale = find_stale(text)
    for path in stale:
        if check:
            print(f"{path} is stale: run `make generate`")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
