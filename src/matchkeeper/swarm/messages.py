"""What the simulated game servers say, sent together, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from matchkeeper.errors import StoreError, StoreUnavailableError
from matchkeeper.store.operations import Operations
from matchkeeper.store.sending import Sender, Written
from matchkeeper.wire.answers import BattleRequest
from matchkeeper.wire.handed import decode_handoff_answer
from matchkeeper.wire.handoffs import HANDOFF, HandoffKind, PodKind

_AT_ONCE = 500
_AGAIN_SECONDS = (2.0, 4.0, 8.0)
_encode = msgspec.json.Encoder().encode


class Messages:
    """Messages of all game servers of a run: what is said in one turn of the event loop goes out in
    one round trip.
    """

    def __init__(self, connection: Operations, *, channel: str, realm: str) -> None:
        self._connection = connection
        self._sender = Sender(connection, realm=realm)
        self._channel = channel
        self._out: list[Written] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._expected: dict[str, asyncio.Future[str]] = {}

    async def ask(self, kind: HandoffKind, request: BattleRequest, *, pod: str, token: str) -> str:
        """What the servers reply to this game server. Raises StoreError without a reply."""
        name = f"{kind} {token}"
        body = {
            "kind": kind,
            "pod_id": pod,
            "game_mode": request.game_mode,
            "match_id": request.match_id,
            "epoch": request.epoch,
            "token": name,
        }
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._expected[name] = reply
        try:
            for seconds in _AGAIN_SECONDS:
                self._say(Written(HANDOFF, _encode(body)))
                try:
                    async with asyncio.timeout(seconds):
                        return await asyncio.shield(reply)
                except TimeoutError:
                    continue  # it may have been lost: the same message again gets the same reply
        finally:
            reply.cancel()
            del self._expected[name]
        raise StoreUnavailableError(f"No reply to {kind} of match {request.match_id}")

    def heard(self, payload: bytes) -> None:
        """An answer to a message. Raises msgspec.DecodeError."""
        for came in decode_handoff_answer(payload).result_type.values():
            reply = self._expected.get(came.token)
            if reply is not None and not reply.done():
                reply.set_result(came.reply)

    async def beat(self, pods: Sequence[str], kind: PodKind) -> None:
        """Game servers live, or leave; what is lost is made good by the next time."""
        said = [(self._channel, _encode({"kind": kind, "pod_id": pod})) for pod in pods]
        with suppress(StoreError):
            await self._connection.publish(said)

    def _say(self, written: Written) -> None:
        self._out.append(written)
        if len(self._out) == 1:
            task = asyncio.get_running_loop().create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self) -> None:
        """What was said since the last turn; who is not answered says it again."""
        while self._out:
            out, self._out = self._out[:_AT_ONCE], self._out[_AT_ONCE:]
            with suppress(StoreError):
                await self._sender.write_all(out)
