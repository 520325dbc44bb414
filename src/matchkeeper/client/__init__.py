"""What a game server written in Python imports."""

from ..errors import StoreError
from ..wire.answers import Answer, BattlePlayer, BattleRequest
from .asking import RefusedError
from .game_server import GameServer, Offer

__all__ = [
    "Answer",
    "BattlePlayer",
    "BattleRequest",
    "GameServer",
    "Offer",
    "RefusedError",
    "StoreError",
]
