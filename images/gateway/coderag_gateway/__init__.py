"""The gateway: LiteLLM behind this project's key rules. Nothing here keeps state; the configuration is a file."""
