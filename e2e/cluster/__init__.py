"""Real Kubernetes for the demo and the end-to-end tests: one interface, a provider that needs no container engine, and kind."""
