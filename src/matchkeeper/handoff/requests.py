"""What game servers say of matches and of themselves: done in batches, and answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName, folded
from matchkeeper.errors import StoreError, StoreRefusedError
from matchkeeper.handoff.notices import Notice, Notices
from matchkeeper.observe.runtime import Runtime
from matchkeeper.store.coordination import Beat, Coordination
from matchkeeper.store.handoffs import Handed, Handoffs
from matchkeeper.store.pending import PendingMatch
from matchkeeper.store.statuses import Sought
from matchkeeper.store.stream import Entry, RequestStream
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.handed import HandoffReply, handoff_answer
from matchkeeper.wire.handoffs import (
    HandoffError,
    HandoffKind,
    HandoffRequest,
    PodKind,
    PodRequest,
    StatusRequest,
    assigned_in,
    decode_handoff,
)

_STANDS = {
    HandoffReply.CLAIMED: HandoffReply.CLAIMED,
    HandoffReply.CONFIRMED: HandoffReply.STARTED,
}
"""What was taken, and the reply where it cannot be undone, because the match has started since."""
_HELD = HandoffReply.CONFIRMED


class PodSaid(NamedTuple):
    """A game server lives, or leaves."""

    beat: Beat
    entry: Entry


class HandoffRequests:
    """Takes in messages of game servers. One batch is one script call per queue."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        runtime: Runtime,
        *,
        handoffs: Handoffs,
        coordination: Coordination,
        stream: RequestStream,
        notices: Notices,
        settings: MatchmakingSettings,
    ) -> None:
        self._modes: Mapping[str, GameMode] = {mode.queue.mode: mode for mode in modes}
        self._handoffs = handoffs
        self._coordination = coordination
        self._stream = stream
        self._notices = notices
        self._settings = settings
        self._facts = runtime.facts
        self._new_token = runtime.new_token

    def read(self, entry: Entry) -> tuple[QueueName, Handed] | PodSaid | Sought:
        """The checked message, touching nothing outside. Raises HandoffError."""
        said = decode_handoff(entry.body, max_bytes=self._settings.max_message_bytes)
        if isinstance(said, StatusRequest):
            pod_id, token = said.pod_id, said.token
            return Sought(player_id=said.player_id, pod_id=pod_id, token=token, entry=entry)
        if isinstance(said, PodRequest):
            return PodSaid(Beat(said.pod_id, leaving=said.kind is PodKind.BYE), entry)
        mode = self._modes.get(folded(said.game_mode))
        if mode is None:
            known = ", ".join(sorted(mode.name for mode in self._modes.values()))
            why = f"No game mode {said.game_mode[:64]!r} here; known are {known}"
            raise HandoffError(ErrorCode.INVALID_GAME_MODE, why, entry.body)
        return mode.queue, Handed(request=said, assigned=assigned_in(said), entry=entry)

    async def beats(self, said: Sequence[PodSaid]) -> None:
        """Notes which game servers live. Raises StoreError."""
        entries = [each.entry for each in said]
        try:
            await self._coordination.beats([each.beat for each in said], entries)
        except StoreRefusedError as error:  # somebody else's key is there: that stops no request
            for entry in entries:
                await self._stream.discard(entry)
            self._facts.requests_failed(count=len(entries), error=error.message)

    async def do(self, mode: GameMode, batch: Sequence[Handed]) -> None:
        """Does messages of one stream, in their order, and answers them. Raises StoreError where
        Redis could not do its work: what was not done stays in the stream, and what was done is
        answered when it comes again.
        """
        hand = self._new_token() if self._handoffs.durability.command is not None else ""
        try:
            came = await self._handoffs.do(mode.queue, batch, hand=hand)
        except StoreRefusedError as error:
            await self._apart(mode, batch, error.message)
            return
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # a defect of ours harms what it met, alone
            self._facts.loop_failed(loop="handoff requests", error=error)
            await self._apart(mode, batch, f"A defect of the server: {error!r}")
            return
        replies = came.replies
        if not came.durable:
            replies = await self._undone(mode, batch, replies, hand=hand)
        if self._handoffs.durability.command is not None:
            await self._tell(batch, replies)
        if came.durable and HandoffReply.CONFIRMED in replies:
            replies = await self._settled(mode, batch, replies)
        self._count(mode, batch, replies)

    async def settle(self, mode: GameMode, match: PendingMatch, *, within_ms: int) -> str:
        """Settles a confirmed match whose server has gone, if it is durable within that time.
        Returns what came of it, in a word. Raises StoreError.
        """
        confirmed = Handed(
            request=HandoffRequest(
                kind=HandoffKind.CONFIRM,
                pod_id=match.claimed_by or "",
                game_mode=mode.name,
                match_id=match.match_id,
                epoch=match.epoch,
                token=match.confirm or "",
            ),
        )
        durability = replace(self._handoffs.durability, timeout_ms=within_ms)
        came = await self._handoffs.do(mode.queue, [confirmed], durability=durability)
        if not came.durable:
            return HandoffReply.NOT_DURABLE.value
        if came.replies[0] is not HandoffReply.CONFIRMED:
            return came.replies[0].value
        return (await self._settled(mode, [confirmed], came.replies))[0].value

    async def _settled(
        self, mode: GameMode, batch: Sequence[Handed], replies: Sequence[HandoffReply]
    ) -> list[HandoffReply]:
        """The replies after the confirmed starts are settled, which tells of them."""
        places = [n for n, reply in enumerate(replies) if reply is HandoffReply.CONFIRMED]
        settled = await self._handoffs.settle(mode.queue, [batch[n] for n in places])
        known = dict(zip(places, settled, strict=True))
        return [known.get(n, reply) for n, reply in enumerate(replies)]

    async def _undone(
        self,
        mode: GameMode,
        batch: Sequence[Handed],
        replies: Sequence[HandoffReply],
        *,
        hand: str,
    ) -> list[HandoffReply]:
        """The replies after what is not durable was given back: a new primary may know nothing of
        it, so nobody may rely on it. What another server has started meanwhile stands. CONFIRMED:
        another one has it in hand, too, and answers.
        """
        places = [n for n, reply in enumerate(replies) if reply in _STANDS]
        if not places:
            return list(replies)
        came = await self._handoffs.undo(mode.queue, [batch[n] for n in places], hand=hand)
        stands = {n: {HandoffReply.STARTED: _STANDS[replies[n]], _HELD: _HELD} for n in places}
        known = {
            n: stands[n].get(back, HandoffReply.NOT_DURABLE)
            for n, back in zip(places, came, strict=True)
        }
        return [known.get(n, reply) for n, reply in enumerate(replies)]

    async def _tell(self, batch: Sequence[Handed], replies: Sequence[HandoffReply]) -> None:
        """Sends the answers that no script sends: the one that settles a start tells of it."""
        await self._notices.send(
            [
                _notice(each, reply.value)
                for each, reply in zip(batch, replies, strict=True)
                if reply is not HandoffReply.CONFIRMED
            ]
        )

    async def _apart(self, mode: GameMode, batch: Sequence[Handed], why: str) -> None:
        """Does the messages one by one; the one that fails by itself is refused."""
        if len(batch) > 1:
            for each in batch:
                await self.do(mode, [each])
            return
        (failed,) = batch
        if failed.entry is not None and not await self._stream.discard(failed.entry):
            return  # another server has done so
        self._facts.requests_failed(count=1, error=why)
        await self._notices.send([_notice(failed, ErrorCode.INTERNAL_ERROR.value, why)])

    def _count(
        self, mode: GameMode, batch: Sequence[Handed], replies: Sequence[HandoffReply]
    ) -> None:
        came = Counter(zip([each.request.kind for each in batch], replies, strict=True))
        for (kind, reply), count in came.items():
            self._facts.handoff_answered(
                mode=mode.name, kind=kind.value, reply=reply.value, count=count
            )


def _notice(handed: Handed, reply: str, message: str = "") -> Notice:
    said = handed.request
    payload = handoff_answer(
        match_id=said.match_id,
        kind=said.kind,
        epoch=said.epoch,
        token=said.token,
        reply=reply,
        message=message,
    )
    return Notice(pod_id=said.pod_id, payload=payload, word="Handoff")
