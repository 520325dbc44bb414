"""Parties in the store, as tests look at them."""

from __future__ import annotations

from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.store.matches import NewMatch
from tests.support.stores import DUOS, Stores


async def index_of(redis: Redis) -> dict[str, str]:
    """Player -> mode and party, of the realm without a name."""
    return {str(player): str(place) for player, place in (await redis.hgetall("parties")).items()}


async def to_match(stores: Stores, mode: GameMode = DUOS) -> tuple[list[Ticket], list[str]]:
    """What a round would match, and why it sets the rest aside."""
    scan = await stores.tickets.scan(mode.queue, start=0, count=100)
    found = await stores.tickets.to_match(mode, scan.places)
    return list(found.tickets), [each.reason for each in found.poisoned]


async def two_parties(stores: Stores) -> None:
    """Party P of `a` and `b`, then party Q of `c` and `d`: a match of two against two."""
    await stores.enqueue_party("P", "a", "b")
    await stores.enqueue_party("Q", "c", "d")


async def pending_duos(stores: Stores) -> NewMatch:
    """A match of the first who wait for two against two, committed."""
    match = await stores.new_match(DUOS)
    assert await stores.commit(DUOS, match) == ["committed"]
    return match
