"""What pods are told of their players."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.ticket import Member
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts import Facts
from matchkeeper.store.connection import Connection
from matchkeeper.store.given_back import GivenBack
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One answer: the pod to tell (None: unknown), the payload, and the word for the metrics."""

    pod_id: str | None
    payload: bytes
    word: str
    code: ErrorCode | None = None


def plain(
    pod_id: str | None,
    player_id: str,
    word: str,
    *,
    party_id: str | None = None,
    left_by: str | None = None,
) -> Notice:
    """A notice that is one word."""
    payload = answers.plain(player_id, word, party_id=party_id, left_by=left_by)
    return Notice(pod_id=pod_id, payload=payload, word=word)


def refusal(
    pod_id: str | None,
    player_id: str,
    code: ErrorCode,
    message: str,
    *,
    party_id: str | None = None,
    because_of: str | None = None,
) -> Notice:
    """An `Error`."""
    payload = answers.error(player_id, code, message, party_id=party_id, because_of=because_of)
    return Notice(pod_id=pod_id, payload=payload, word="Error", code=code)


def left(
    members: Iterable[Member], party_id: str | None = None, left_by: str | None = None
) -> list[Notice]:
    """`DeQueued` for all players of a ticket. `left_by`: the player who took the party out."""
    return [
        plain(
            each.pod_id,
            each.player_id,
            answers.DEQUEUED,
            party_id=party_id,
            left_by=None if each.player_id == left_by else left_by,
        )
        for each in members
    ]


def party_refusals(
    members: Iterable[Told], party_id: str, code: ErrorCode, message: str, because_of: str = ""
) -> list[Notice]:
    """An `Error` for all players of a party. The code is that of the player who is the reason: it
    would be untrue of the others.
    """
    others = f"Nobody of party {party_id} was queued, because of player {because_of}: {message}"
    return [
        refusal(
            each.pod_id,
            each.player_id,
            code if because_of in ("", each.player_id) else ErrorCode.PARTY_REFUSED,
            message if because_of in ("", each.player_id) else others,
            party_id=party_id,
            because_of=because_of or None,
        )
        for each in members
    ]


def left_match(back: GivenBack) -> list[Notice]:
    """`DeQueued` for all players who do not go back into their queue."""
    return [notice for each in back.left for notice in left(each.members, each.party_id, each.by)]


def messages(notices: Iterable[Notice], channel: Callable[[str], str]) -> list[tuple[str, bytes]]:
    """What is published: (channel, payload) for each whose pod is known."""
    return [(channel(each.pod_id), each.payload) for each in notices if each.pod_id]


class Notices:
    """Sends notices and counts them."""

    def __init__(self, connection: Connection, settings: MatchmakingSettings, facts: Facts) -> None:
        self._connection = connection
        self._channel = settings.result_channel
        self._facts = facts

    async def pass_on(self, told: Sequence[tuple[str, bytes]]) -> None:
        """Sends (channel, payload) that a script has made, as `send` does."""
        try:
            await self._connection.publish(told)
        except StoreError as error:
            self._facts.answers_lost(count=len(told), error=error.message)

    async def send(self, notices: Sequence[Notice]) -> None:
        """What they tell is done, and Pub/Sub promises no more: if they are lost, a player who asks
        again is told again.
        """
        for word, count in Counter(each.word for each in notices).items():
            self._facts.answered(result_type=word, count=count)
        try:
            await self._connection.publish(messages(notices, self._channel))
        except StoreError as error:
            self._facts.answers_lost(count=len(notices), error=error.message)
