"""Matchkeeper: the match server that never loses a player."""

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    # Read when somebody asks: it would add a tenth to the time that `--help` takes.
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415

    return version("matchkeeper")
