"""What a game server written in Python imports."""

from matchkeeper.client.game_server import GameServer, Offer, RefusedError
from matchkeeper.wire.answers import Answer, BattlePlayer, BattleRequest

__all__ = ["Answer", "BattlePlayer", "BattleRequest", "GameServer", "Offer", "RefusedError"]
