"""Whether the demo would see it if a player were lost."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from crowd.wire import told
from matchkeeper.cli.demo.breakables import Poisoner
from matchkeeper.cli.demo.ledger import Fate, Ledger
from matchkeeper.cli.demo.lookout import Lookout
from matchkeeper.cli.demo_commands import demo_settings
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.server.wiring import Stores, options_for, stores_for
from matchkeeper.store.operations import Unobserved
from tests.conftest import RealServer


@dataclass
class Scene:
    """A lookout on a real Valkey, with a clock that the test moves."""

    stores: Stores
    ledger: Ledger
    lookout: Lookout
    redis: Redis
    now: float = 100.0
    away: bool = False

    def told(self, player_id: str) -> None:
        """The player hears `EnQueued`."""
        mode = demo_settings(None, None, port=0).modes()[0]
        self.ledger.came((player_id,), mode, timedelta(seconds=30), lobby="lobby-1")
        self.ledger.queued(player_id)

    async def later(self, seconds: float = 6) -> int:
        """Looks now and after a while; how many are lost then."""
        self.now += 2
        await self.lookout.look()
        self.now += seconds
        await self.lookout.look()
        return self.lookout.lost


@pytest.fixture
async def scene(valkey: RealServer) -> AsyncIterator[Scene]:
    settings = demo_settings(None, None, port=0)
    rng = random.Random(1)
    breaker = CircuitBreaker(failures=1000, clock=time.monotonic, rng=rng)
    stores = stores_for(
        settings,
        options_for(settings, valkey.url),
        me="lookout",
        breaker=breaker,
        events=Unobserved(),
        clock=time.monotonic,
        rng=rng,
    )
    ledger = Ledger(clock=lambda: made.now)
    lookout = Lookout(settings, stores, ledger, away=lambda: made.away)
    async with stores.connection, Redis.from_url(valkey.url) as redis:
        made = Scene(stores=stores, ledger=ledger, lookout=lookout, redis=redis)
        yield made


async def test_who_is_nowhere_for_a_while_is_lost_until_there_is_news(scene: Scene) -> None:
    scene.told("a")
    assert await scene.later(4) == 0, "news may be on the way"
    assert await scene.later(4) == 1
    assert scene.lookout.known
    scene.ledger.matched("m1", ["a"])
    assert await scene.later() == 0


async def test_who_stands_in_a_queue_or_a_pending_match_is_not_lost(scene: Scene) -> None:
    scene.told("a")
    scene.told("b")
    await scene.redis.zadd("queue:{normal}", {"a": 1})
    await scene.redis.hset("metadata:{normal}", "a", '{"pod_id":"lobby-1"}')
    await scene.redis.hset("matched:{squad}", "b", "m1")
    assert await scene.later() == 0
    assert scene.lookout.queues[0].length == 1
    await scene.redis.delete("queue:{normal}", "matched:{squad}")
    assert await scene.later() == 2


async def test_an_end_that_nobody_heard_is_an_end(scene: Scene) -> None:
    for player in ("asked", "refused"):
        scene.told(player)
        scene.ledger.asks_to_leave(player)
    error = {"Error": {"code": "not_in_queue"}}
    scene.ledger.told(told(scene.now, "lobby-1", "refused", error))
    assert await scene.later() == 1
    assert scene.ledger.stay("asked").fate is Fate.LEFT
    assert scene.ledger.waiting() == ["refused"]


async def test_while_a_game_server_asks_for_the_last_word_nobody_knows(scene: Scene) -> None:
    scene.told("a")
    with scene.ledger.last_word(["a"]):
        assert await scene.later() == 0
    assert await scene.later() == 1


async def test_a_poisoned_player_is_found_among_the_dead_letters(scene: Scene) -> None:
    mode = demo_settings(None, None, port=0).modes()[0]
    await Poisoner(scene.stores, scene.ledger, mode, prefix="").put_one_in()
    page = await scene.stores.tickets.read(mode, start=0, count=10)
    assert [ticket.ticket_id for ticket in page.unreadable] == ["poisoned-1"]
    assert await scene.later() == 0
    await scene.stores.tickets.set_aside(
        mode.queue, page.unreadable, token="t", kept=10, raw_limit=100
    )
    assert await scene.later() == 0
    assert scene.ledger.stay("poisoned-1").fate is Fate.SET_ASIDE


async def test_while_redis_is_away_nothing_is_known(scene: Scene, valkey: RealServer) -> None:
    scene.told("lost")
    assert await scene.later() == 1
    scene.told("other")
    scene.away = True
    assert not scene.lookout.known
    valkey.kill()
    assert await scene.later() == 1, "the last known number"
    scene.away = False
    assert not scene.lookout.known, "the last look was not answered"
    valkey.start()
    scene.now += 1
    await scene.lookout.look()
    assert scene.lookout.known
    assert scene.lookout.lost == 1, "a gap in the looks proves nothing"
    assert await scene.later() == 2
