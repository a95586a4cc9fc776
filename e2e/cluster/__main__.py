"""python3 -m e2e.cluster"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before an import fails for a reason that nobody understands
    sys.exit("error: Python 3.11 or newer is needed")

from e2e.cluster.cli import main

sys.exit(main())
