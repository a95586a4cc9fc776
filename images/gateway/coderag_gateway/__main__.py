"""`python -m coderag_gateway`."""

import sys

from coderag_gateway.serve import main

if __name__ == "__main__":
    sys.exit(main())
