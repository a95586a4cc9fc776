"""The index in Qdrant: what a point looks like and how points are written and read."""
