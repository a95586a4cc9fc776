"""What every test session needs, before anything else is imported.

The folder operator/ has no __init__.py, so that it cannot shadow the standard module. But pytest names a test after its
path (operator.tests...), and loads the parent of that name anew when it is not a package: from then on nothing could
import from `operator` any more. With a __path__ the standard module is taken for that parent and stays.
"""

import operator
from pathlib import Path

from hypothesis import settings

operator.__path__ = [str(Path(__file__).parent / "operator")]  # type: ignore[attr-defined]
settings.register_profile("steady", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("steady")
