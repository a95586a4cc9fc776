"""The parts of benchmarks/vram.py: published shapes, sparse model files, a server's own account of its memory."""
