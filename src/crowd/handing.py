"""What game servers of the crowd say about matches: it can be told what belongs to whom."""

from __future__ import annotations

import json
from collections.abc import Iterable


def token(pod: str, unique: str) -> str:
    """The token of a message: it says whose it is."""
    return f"{pod}~{unique}"


def pod_in(said: str) -> str:
    """The pod that a token is of; empty where nobody of the crowd has made it."""
    return said.rpartition("~")[0]


def assignment(match: str, pod: str) -> dict[str, str]:
    """What all players of a match are told that this pod starts."""
    return {"match": match, "pod": pod}


def secret(match: str, player: str) -> str:
    """What this player alone is told of the match."""
    return f"{match} of {player}"


def secrets(match: str, players: Iterable[str]) -> dict[str, str]:
    """A secret for each of them."""
    return {player: secret(match, player) for player in players}


def text(told: object) -> str:
    """An assignment as it stands in a history; empty where there is none."""
    return json.dumps(told, sort_keys=True) if told is not None else ""
