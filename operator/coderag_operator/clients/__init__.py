"""HTTP clients of the services that a stack runs."""
