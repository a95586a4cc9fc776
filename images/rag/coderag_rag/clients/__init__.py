"""Clients of the services this package depends on."""
