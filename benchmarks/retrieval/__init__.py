"""Parts of `benchmarks/retrieval.py`: the sets, the searchers that are compared, and what they cost to prepare."""
