"""Code retrieval: the index of Git repositories, and search and answers over it."""
