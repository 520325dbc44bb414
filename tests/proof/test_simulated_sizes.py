"""How many players a match may have in the simulation, by what servers have heard of each other."""

from __future__ import annotations

import pytest

from matchkeeper.domain.agreement import Peer, Shared
from matchkeeper.errors import StoreRefusedError
from matchkeeper.store.servers import Roster, Servers
from proof.simulate.sizes import Heard, Sizes

OLD, NEW = (Shared(common={}, modes={"trio": {"required_players": size}}) for size in (3, 4))
FIRST = Peer(name="a", number=1, digest="a", shared=OLD)
LATER = Peer(name="b", number=2, digest="b", shared=NEW)


class Scripted(Servers):
    """Hears what it is given."""

    def __init__(self, me: Peer) -> None:
        self.me = me
        self.others: tuple[Peer, ...] | None = ()

    async def beat(self, shared: Shared, *, digest: str) -> tuple[Peer, Roster]:
        del shared, digest
        if self.others is None:
            raise StoreRefusedError("no rights")
        return self.me, Roster(others=self.others)


class Rollout:
    """Two servers, and what may be made."""

    def __init__(self) -> None:
        self.told: list[Sizes] = []
        self.first, self.later = Scripted(FIRST), Scripted(LATER)
        heard = Heard({"trio": 3}, self.told.append)
        heard.follow("a", self.first)
        heard.follow("b", self.later)

    async def beats(self, server: Scripted, *others: Peer, times: int = 4) -> tuple[int, ...]:
        server.others = others
        for _ in range(times):
            await server.beat(server.me.shared, digest=server.me.digest)
        return self.told[-1]["trio"] if self.told else (3,)


async def test_newer_settings_alone_count_once_both_have_heard_of_them() -> None:
    run = Rollout()
    assert await run.beats(run.first) == (3,)
    assert await run.beats(run.later, FIRST) == (3, 4)
    assert await run.beats(run.first, LATER, times=1) == (3, 4)
    assert await run.beats(run.first, LATER) == (4,)


async def test_the_older_ones_count_while_a_server_hears_nothing_of_the_newer() -> None:
    run = Rollout()
    await run.beats(run.first, LATER)
    assert await run.beats(run.later, FIRST) == (4,)
    assert await run.beats(run.first, times=1) == (3, 4)
    assert await run.beats(run.later, FIRST) == (3, 4)
    assert await run.beats(run.first, LATER) == (4,)


async def test_whoever_is_not_let_ask_counts_as_alone_unless_it_has_heard() -> None:
    run = Rollout()
    await run.beats(run.later, FIRST)
    run.first.others = None
    with pytest.raises(StoreRefusedError):
        await run.first.beat(OLD, digest="a")
    assert run.told[-1] == {"trio": (3, 4)}
    await run.beats(run.first, LATER)
    run.first.others = None
    with pytest.raises(StoreRefusedError):
        await run.first.beat(OLD, digest="a")
    assert run.told[-1] == {"trio": (4,)}
