"""Faults and load for a live stack: what fails, what a caller sees of it, and how long."""
