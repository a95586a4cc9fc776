"""`python -m coderag_eval`."""

import sys

from coderag_eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
