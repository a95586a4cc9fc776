"""The process for bulk texts with a model that is only pretended: `python bulk_child.py DESCRIPTOR...`.

The text `die` ends it, `break` is one that the tokenizer does not like, and `niceness` is answered by its own.
"""

import os
import sys
from dataclasses import replace

from coderag_embedding.bulk_process import serve

from conftest import make_model


class Odd:
    """The tiny model, and what a text can do to it."""

    def __init__(self):
        self._model = make_model()

    def embed(self, text):
        if text == "die":
            os._exit(9)
        if text == "break":
            raise KeyError(text)
        if text == "niceness":
            return replace(self._model.embed("alpha"), tokens=os.getpriority(os.PRIO_PROCESS, 0))
        return self._model.embed(text)


serve([int(one) for one in sys.argv[1:]], Odd)
