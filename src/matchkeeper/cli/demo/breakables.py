"""What the demo can break, and how."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta

from matchkeeper.cli.demo.controls import Control, Kind
from matchkeeper.cli.demo.ledger import Ledger
from matchkeeper.cli.demo.world import World
from matchkeeper.domain.mode import GameMode
from matchkeeper.server.wiring import Stores, new_token
from matchkeeper.store.own_valkey import OwnValkey
from matchkeeper.store.tickets import Heard
from matchkeeper.wire.requests import Request, RequestKind

_UNREADABLE = '{"mmr": 15'
_LOBBY = "lobby-1"


class Poisoner:
    """Puts in players whose metadata nobody can read, as a faulty tool or a typing error does."""

    def __init__(self, stores: Stores, ledger: Ledger, mode: GameMode, *, prefix: str) -> None:
        self._stores = stores
        self._ledger = ledger
        self._mode = mode
        self._prefix = prefix
        self._numbers = itertools.count(1)

    async def put_one_in(self) -> None:
        """Straight into the queue, past the door that would refuse it. Raises StoreError."""
        mode, player_id = self._mode, f"{self._prefix}poisoned-{next(self._numbers)}"
        self._ledger.came((player_id,), mode, timedelta.max, lobby=_LOBBY)
        request = Request(
            kind=RequestKind.ENQUEUE,
            player_id=player_id,
            game_mode=mode.name,
            pod_id=_LOBBY,
            metadata=_UNREADABLE,
            fingerprint=new_token(),
        )
        await self._stores.tickets.enqueue(mode.queue, [Heard(request=request, token=new_token())])
        self._ledger.queued(player_id)
        self._ledger.tell(
            f"{player_id} stands in {mode.name} with metadata that nobody can read", unusual=True
        )


def breakables(own: OwnValkey | None, world: World, poisoner: Poisoner) -> Iterator[Control]:
    """All controls. Without a Valkey of the demo's own, nobody's Redis is touched."""
    if own is not None:
        yield from _of_redis(own)
    yield Control(
        name="pods_stopped",
        label="Stop the game servers",
        what="nobody takes matches; again: they come back",
        kind=Kind.TOGGLE,
        press=world.toggle_pods,
        is_on=lambda: not world.pods_play.on,
    )
    yield Control(
        name="poison",
        label="Poison a player",
        what="a player whose metadata nobody can read",
        kind=Kind.BUTTON,
        press=poisoner.put_one_in,
    )


def _of_redis(own: OwnValkey) -> Iterator[Control]:
    yield Control(
        name="redis_stopped",
        label="Stop Redis",
        what="kill -9; again: starts it from its file",
        kind=Kind.TOGGLE,
        press=own.toggle_stopped,
        is_on=lambda: own.stopped,
    )
    yield Control(
        name="redis_slow",
        label="Slow Redis",
        what="up to 0.35 s an answer; again: ends that",
        kind=Kind.TOGGLE,
        press=own.toggle_slow,
        is_on=lambda: own.slow,
    )
