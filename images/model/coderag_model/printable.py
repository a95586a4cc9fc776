"""Text from a file as it may appear in a message: printable and short, whatever the file says."""

SHOWN = 128


def shown(text: str) -> str:
    """Return untrusted text without control characters, cut to 128 letters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:SHOWN])
