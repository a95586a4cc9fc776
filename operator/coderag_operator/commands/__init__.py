"""What a person runs without a cluster. Separate from the operator, so that nothing of Kubernetes is loaded for it."""
