"""`make demo`: from a bare machine to an answered question."""
