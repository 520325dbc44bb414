"""Pods are told where players are: when they ask, and when they ask for a player again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member
from matchkeeper.errors import StoreError, StoreRefusedError
from matchkeeper.handoff.notices import Notice, Notices, refusal
from matchkeeper.observe.runtime import Runtime
from matchkeeper.store.failures import NotDurableError
from matchkeeper.store.statuses import Found, Sought, Statuses
from matchkeeper.store.stream import RequestStream
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.handed import handoff_answer
from matchkeeper.wire.handoffs import STATUS
from matchkeeper.wire.requests import Request
from matchkeeper.wire.status import State

_FORGOTTEN = (
    "The player is in no queue and no pending match, and what came of this request is not known "
    "any more. Ask with a new request_id if the player still wants to play"
)


class StatusRequests:
    """Tells where players are. One batch is one script call.

    `elsewhere`: the modes that only other servers have.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        statuses: Statuses,
        stream: RequestStream,
        notices: Notices,
        elsewhere: Callable[[], Iterable[str]],
    ) -> None:
        self._statuses = statuses
        self._stream = stream
        self._notices = notices
        self._elsewhere = elsewhere
        self._facts = runtime.facts

    async def answer(self, sought: Sequence[Sought]) -> None:
        """Answers questions of one stream. Raises StoreError."""
        for part in self._statuses.in_parts(sought):
            await self._answer(part)

    async def _answer(self, sought: Sequence[Sought]) -> None:
        try:
            found = await self._statuses.tell(sought, elsewhere=self._elsewhere())
        except NotDurableError as error:
            await self._refuse(sought, ErrorCode.NOT_DURABLE, error)
        except StoreRefusedError as error:
            await self._apart(sought, error)
        else:
            await self._pass_on(found)

    async def tell_again(self, mode: GameMode, requests: Sequence[Request]) -> list[Notice]:
        """The players of requests that came again, after what was answered has passed, are told
        what is true now. Returns what is no news, for the caller to send.
        """
        told = [(each.party_id, member) for each in requests for member in each.members]
        sought = [Sought(player_id=each.player_id, pod_id=each.pod_id) for _, each in told]
        if not sought:
            return []
        found: list[Found] = []
        try:
            for part in self._statuses.in_parts(sought):
                found += await self._statuses.tell_again(
                    part, queue=mode.queue, elsewhere=self._elsewhere()
                )
        except StoreError as error:  # who asks again is told again
            self._facts.answers_lost(count=len(sought), error=error.message)
            return []
        await self._pass_on(found)
        return [
            _where(member, each, party_id)
            for (party_id, member), each in zip(told, found, strict=True)
            if not each.channel
        ]

    async def _apart(self, sought: Sequence[Sought], error: StoreError) -> None:
        """Answers the questions one by one; the one that fails by itself is refused."""
        if len(sought) > 1:
            for each in sought:
                await self._answer([each])
            return
        await self._refuse(sought, ErrorCode.INTERNAL_ERROR, error)

    async def _refuse(self, sought: Sequence[Sought], code: ErrorCode, error: StoreError) -> None:
        mine = [
            each for each in sought if each.entry is None or await self._stream.discard(each.entry)
        ]
        if code is ErrorCode.NOT_DURABLE:
            mine = list(sought)  # the script took them out of their stream
        self._facts.requests_failed(count=len(mine), error=error.message)
        await self._notices.send([_refused(each, code, error.message) for each in mine])

    async def _pass_on(self, found: Sequence[Found]) -> None:
        """Counts what is told, and sends what the script has left to be sent."""
        for state, count in Counter(each.state for each in found).items():
            self._facts.status_told(state=state.value, count=count)
        await self._notices.pass_on(
            [(each.channel, each.payload) for each in found if each.payload]
        )


def _refused(sought: Sought, code: ErrorCode, why: str) -> Notice:
    payload = handoff_answer(
        match_id="", kind=STATUS, epoch=0, token=sought.token, reply=code.value, message=why
    )
    return Notice(pod_id=sought.pod_id, payload=payload, word="Handoff", code=code)


def _where(member: Member, found: Found, party_id: str | None) -> Notice:
    """What is to be said of somebody who is somewhere else, or of whom nothing is known."""
    code, why = ErrorCode.NOT_IN_QUEUE, _FORGOTTEN
    if found.state is State.WAITING:
        mode, _, party = found.detail.partition("\n")
        code, why = ErrorCode.IN_OTHER_QUEUE, f"The player waits in queue {mode}"
        if party:
            code, why = ErrorCode.IN_PARTY, f"The player is in party {party} of {mode}"
    elif found.state is State.PENDING:
        mode, _, match_id = found.detail.partition(" ")
        code, why = ErrorCode.MATCH_PENDING, f"The player is in pending match {match_id} of {mode}"
    return refusal(member.pod_id, member.player_id, code, why, party_id=party_id)
