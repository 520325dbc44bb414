"""What pods are told of their players."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.config import MatchmakingSettings
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts import Facts
from matchkeeper.store.connection import Connection
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One answer: the pod to tell (None: unknown), the payload, and the word for the metrics."""

    pod_id: str | None
    payload: bytes
    word: str
    code: ErrorCode | None = None


def plain(pod_id: str | None, player_id: str, word: str) -> Notice:
    """A notice that is one word."""
    return Notice(pod_id=pod_id, payload=answers.plain(player_id, word), word=word)


def refusal(pod_id: str | None, player_id: str, code: ErrorCode, message: str) -> Notice:
    """An `Error`."""
    payload = answers.error(player_id, code, message)
    return Notice(pod_id=pod_id, payload=payload, word="Error", code=code)


class Notices:
    """Sends notices and counts them."""

    def __init__(self, connection: Connection, settings: MatchmakingSettings, facts: Facts) -> None:
        self._connection = connection
        self._channel = settings.result_channel
        self._facts = facts

    async def send(self, notices: Sequence[Notice]) -> None:
        """What they tell is done, and Pub/Sub promises no more: if they are lost, a player who asks
        again is told again.
        """
        for word, count in Counter(each.word for each in notices).items():
            self._facts.answered(result_type=word, count=count)
        try:
            await self._connection.publish(
                [(self._channel(each.pod_id), each.payload) for each in notices if each.pod_id]
            )
        except StoreError as error:
            self._facts.answers_lost(count=len(notices), error=error.message)
