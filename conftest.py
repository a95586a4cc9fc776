"""What every test session needs, before anything else is imported.

The folder operator/ has no __init__.py, so that it cannot shadow the standard module. But pytest names a test after its
path (operator.tests...), and loads the parent of that name anew when it is not a package: from then on nothing could
import from `operator` any more. With a __path__ the standard module is taken for that parent and stays.
"""

import gc
import operator
from pathlib import Path

gc.disable()  # until everything is collected: nothing of it becomes garbage, and each look at it takes longer

from hypothesis import settings  # noqa: E402

operator.__path__ = [str(Path(__file__).parent / "operator")]  # type: ignore[attr-defined]
settings.register_profile("steady", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("steady")


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later look for garbage; a sixth of the processor time of `make unit`."""
    gc.collect()
    gc.freeze()
    gc.enable()
