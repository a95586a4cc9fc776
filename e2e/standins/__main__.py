"""`python -m e2e.standins hub|git|openai|llama|qdrant …`; without a word it is the server whose image it replaces.

That is llama-server where `--model` is given, as the operator does, and else Qdrant, whose image takes no arguments.
"""

import importlib
import sys

MODULES = {"hub": "hub", "git": "git_remote", "openai": "openai_script", "llama": "faulty_llama", "qdrant": "qdrant"}


def main(argv: list[str]) -> int:
    """Run one stand-in."""
    default = "llama" if "--model" in argv else "qdrant"
    name = argv[0] if argv and not argv[0].startswith("-") else default
    if name not in MODULES:
        print(f"unknown stand-in {name}: choose one of {', '.join(MODULES)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"e2e.standins.{MODULES[name]}")
    return int(module.main(argv[1:] if argv and argv[0] == name else argv) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
