"""A model of the handoff, and its exhaustive check."""
