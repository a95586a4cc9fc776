"""The worker that keeps the index equal to the configured Git repositories."""
