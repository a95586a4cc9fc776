"""The second process: `python -m coderag_embedding.bulk_process FOLDER PRECISION DESCRIPTOR...`.

Each descriptor is a connection on which lists of texts come and lists of outcomes go; a thread answers each. It ends
when the last connection is closed, and with it when the service is killed.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from coderag_embedding.manifest import Precision
from coderag_embedding.model import Embedded, Model, load_model

BULK_NICENESS = 15


def step_back() -> None:
    """Put the calling thread, and those that it starts, behind everything else. On Linux niceness is a thread's own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = max(BULK_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))  # going back down needs a privilege
        os.setpriority(os.PRIO_PROCESS, thread, niceness)


def serve(descriptors: Sequence[int], load: Callable[[], Model]) -> None:
    """Load the model at full speed, then answer behind everything else until nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends by it, and finishes first what it was asked
    model = load()
    step_back()
    threads = [threading.Thread(target=_answer, args=(Connection(one), model)) for one in descriptors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _answer(connection: Connection, model: Model) -> None:
    with connection, contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send([_outcome(model, text) for text in connection.recv()])


def _outcome(model: Model, text: str) -> Embedded | Exception:
    try:
        return model.embed(text)
    except Exception as error:  # one bad text is one request's trouble; the error itself may not travel
        return RuntimeError(f"{type(error).__name__}: {error}")


def main(arguments: Sequence[str]) -> None:
    """Serve a model folder."""
    folder, precision, *descriptors = arguments
    serve([int(one) for one in descriptors], lambda: load_model(Path(folder), cast(Precision, precision)))


if __name__ == "__main__":
    main(sys.argv[1:])
