"""Matches as the rules of a mode demand them: the checker, and a strategy that it agrees with."""
