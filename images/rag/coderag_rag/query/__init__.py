"""Search over the index: what is served, which chunks answer a query, in which order."""
