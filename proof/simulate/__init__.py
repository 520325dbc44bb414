"""Deterministic simulation: the server itself under a clock and a network that obey a seed."""
