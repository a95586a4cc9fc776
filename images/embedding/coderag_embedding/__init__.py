"""The embedding service: text to vectors over an OpenAI-compatible API, one shared model load, no torch."""
