"""What a player costs in commands, bytes and round trips: counted, so that no machine matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.budget import PUBSUB_AND_PUBLISH, STREAM_AND_CLAIM, Cost, cost, overruns
from bench.throughput import Way, with_server

PLAYERS = 5000


@pytest.mark.parametrize(
    ("stream", "allowed"), [(True, STREAM_AND_CLAIM), (False, PUBSUB_AND_PUBLISH)]
)
def test_a_player_costs_no_more_than_before(stream: bool, allowed: Cost, tmp_path: Path) -> None:
    found = cost(with_server(tmp_path, Way(players=PLAYERS, stream=stream, claims=stream)))
    assert overruns(found, allowed) == []


def test_what_costs_a_tenth_more_is_told() -> None:
    more = Cost(redis_commands=1.11 * 20, bytes=1.09 * 100, round_trips=5)
    (told,) = overruns(more, Cost(redis_commands=20, bytes=100, round_trips=5))
    assert told.startswith("Redis commands: 22.20, 20.00 are allowed")
