"""What the caller of a route may see. The one place to change when keys stand for groups of repositories."""

from typing import Annotated

from fastapi import Depends

from coderag_rag.query.access import EVERYTHING, Permit


async def permitted() -> Permit:
    """Return the repositories of the caller: all of them, until access keys arrive.

    Asynchronous although it waits for nothing: anything else is called in a thread, for every request.
    """
    return EVERYTHING


Permitted = Annotated[Permit, Depends(permitted)]
