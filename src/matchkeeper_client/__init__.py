"""What a game server written in Python imports; with the server, it is `matchkeeper.client`."""

from importlib.metadata import version

__version__ = version("matchkeeper-client")

from .client import *  # noqa: F403  # the names in its __all__
