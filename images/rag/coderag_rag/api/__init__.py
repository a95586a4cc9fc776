"""The HTTP face of search and ask: routes, models, settings, health."""
