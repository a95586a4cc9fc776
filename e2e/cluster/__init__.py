"""Real Kubernetes for the demo and the end-to-end tests: one interface, a node without a container engine, and kind."""
