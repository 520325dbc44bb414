"""Matchkeeper: the match server that never loses a player."""

from importlib.metadata import version

__version__ = version("matchkeeper")

__all__ = ["__version__"]
