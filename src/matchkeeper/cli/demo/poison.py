"""A player whose metadata nobody can read, as a faulty tool or an operator's slip leaves one."""

from __future__ import annotations

from datetime import timedelta

from matchkeeper.cli.demo.ledger import Ledger
from matchkeeper.context import Stores, new_token
from matchkeeper.domain.mode import GameMode
from matchkeeper.protocol.requests import Request, RequestKind
from matchkeeper.store.tickets import Heard

_UNREADABLE = '{"mmr": 15'
_LOBBY = "lobby-1"


async def put_in(stores: Stores, ledger: Ledger, mode: GameMode, player_id: str) -> None:
    """Puts the player straight into the queue, past the door that would refuse it.

    Raises StoreError.
    """
    ledger.came(player_id, mode, timedelta.max, lobby=_LOBBY)
    request = Request(
        kind=RequestKind.ENQUEUE,
        player_id=player_id,
        game_mode=mode.tag,
        pod_id=_LOBBY,
        metadata=_UNREADABLE,
        fingerprint=new_token(),
        has_id=True,
    )
    await stores.tickets.enqueue(mode.tag, [Heard(request=request, token=new_token())])
    ledger.queued(player_id)
    ledger.tell(f"{player_id} stands in {mode.name} with metadata that nobody can read")
