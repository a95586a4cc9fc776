"""What can go wrong, in Qdrant's words and status codes; separate so that the engine's process can raise it too."""


class QdrantError(Exception):
    """An answer other than 200: the HTTP status and the text that Qdrant would put in `status.error`."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both as arguments, so that the error survives the way between processes."""
        super().__init__(status, message)
        self.status = status
        self.message = message


def wrong_input(message: str) -> QdrantError:
    """Return a 400."""
    return QdrantError(400, f"Wrong input: {message}")


def not_found(message: str) -> QdrantError:
    """Return a 404."""
    return QdrantError(404, f"Not found: {message}")


def no_collection(name: str) -> QdrantError:
    """Return the 404 of a collection that does not exist."""
    return not_found(f"Collection `{name}` doesn't exist!")


def conflict(name: str) -> QdrantError:
    """Return the 409 of a name that is taken."""
    return QdrantError(409, f"Wrong input: Collection `{name}` already exists!")


def not_served(what: str) -> QdrantError:
    """Return the 501 of something that the real server does and the stand-in does not."""
    return QdrantError(501, f"Not implemented: {what} is not served by the stand-in, use a real Qdrant")


def from_engine(error: Exception) -> QdrantError:
    """Return the answer for an exception of the engine, which gives text only."""
    text = str(error)
    if text.startswith("No point with id"):
        return not_found(text)
    if text.startswith(("Service", "IO", "Out of")):
        return QdrantError(500, text)
    return wrong_input(text)
