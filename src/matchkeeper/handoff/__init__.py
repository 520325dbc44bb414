"""What becomes of a committed match: decisions as pure functions."""
