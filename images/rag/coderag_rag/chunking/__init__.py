"""From the bytes of a file to searchable pieces: chunks, symbols, redaction, embedded text and keyword vector."""
