"""`python -m e2e.standins.qdrant`."""

import sys

from e2e.standins.qdrant import main

if __name__ == "__main__":
    sys.exit(main())
