"""Learns the lexicon of Korean and English words when the rag image is built. Nothing of it runs in the service."""
