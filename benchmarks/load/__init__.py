"""Parts of `benchmarks/load.py`: arrivals, generator, services under load, what is read of them, and the tables."""
