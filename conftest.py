"""Keeps pytest from replacing the standard library's `operator`.

The folder operator/ has no __init__.py, so that it cannot shadow the standard module. But pytest names a test after its
path (operator.tests...), and loads the parent of that name anew when it is not a package: from then on nothing could
import from `operator` any more. With a __path__ the standard module is taken for that parent and stays.
"""

import operator
from pathlib import Path

operator.__path__ = [str(Path(__file__).parent / "operator")]  # type: ignore[attr-defined]
