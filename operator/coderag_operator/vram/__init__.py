"""What a llama.cpp server takes of a GPU: pure arithmetic on a model's geometry, explained in docs/vram.md."""
