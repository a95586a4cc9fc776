"""`python -m e2e.standins hub|git|openai|qdrant …`; without a word it is Qdrant, whose official image it replaces."""

import importlib
import sys

MODULES = {"hub": "hub", "git": "git_remote", "openai": "openai_script", "qdrant": "qdrant"}


def main(argv: list[str]) -> int:
    """Run one stand-in."""
    name = argv[0] if argv and not argv[0].startswith("-") else "qdrant"
    if name not in MODULES:
        print(f"unknown stand-in {name}: choose one of {', '.join(MODULES)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"e2e.standins.{MODULES[name]}")
    return int(module.main(argv[1:] if argv and argv[0] == name else argv) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
