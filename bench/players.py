"""Players: what game servers write for them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

from bench.raw import Line
from crowd.wire import packed

_FILLER = "x" * 60


def body(name: str, *, mode: str = "Duel", sent: int = 0, mmr: float = 1500) -> str:
    """A request to be queued. `sent`: monotonic nanoseconds, carried to the battle request."""
    return json.dumps(
        {
            "player_id": name,
            "game_mode": mode,
            "pod_id": "pod",
            "request_id": name,
            "metadata": {"mmr": mmr, "sent": sent, "skin": _FILLER},
        },
        separators=(",", ":"),
    )


def names(count: int, *, prefix: str = "p") -> list[str]:
    """The names of `count` players."""
    return [f"{prefix}{number:07d}" for number in range(count)]


def written(player: str) -> bytes:
    """The command that writes a player's request to the stream."""
    return packed("XADD", "match:requests", "*", "kind", "enqueue", "body", body(player))


def fill_stream(line: Line, players: list[str]) -> None:
    """Writes all requests to the stream at once."""
    line.all([written(player) for player in players])


def waiting(
    players: list[str], tag: str, rng: random.Random, *, metadata_bytes: int, spread: float
) -> Iterator[bytes]:
    """Commands that put players straight into a queue, as an operator may: with ratings.

    `spread`: the distance of two neighbouring ratings.
    """
    now = time.time() - len(players) / 1e6
    ratings = [spread * number for number in range(len(players))]
    rng.shuffle(ratings)
    for number, player in enumerate(players):
        text = {"pod_id": "pod", "mmr": ratings[number], "x": ""}
        text["x"] = "x" * max(0, metadata_bytes - len(json.dumps(text)))
        yield packed("ZADD", f"queue:{{{tag}}}", f"{now + number / 1e6:.6f}", player)
        yield packed("HSET", f"metadata:{{{tag}}}", player, json.dumps(text))
