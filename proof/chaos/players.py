"""Players of a pod: each asks once to play, alone or in a party, again until it is answered, and
some leave again.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crowd.history import Event, What
from crowd.tickets import Member, Ticket
from matchkeeper.domain.realm import in_realm
from matchkeeper.store import keys
from proof.chaos.notes import Notes
from proof.chaos.settings import MEMORY_SECONDS, PARTIES, PodOptions
from proof.chaos.wire import Client, WireError

_BY_STREAM = 0.6
_WITH_IDS = 0.5
_IN_PARTIES = 0.6
"""Of those who come for a mode of parties."""
_LEAVE, _LEAVE_PARTY = 0.12, 0.25
_AS_ONE = 0.3
"""Of the parties that leave, those that do so as one; of others one player leaves."""
_TWICE = 0.2
"""Of those who may send a request again, those who do so before it can be answered."""
_ASK_AGAIN, _ONE_ALONE = 0.1, 0.1
"""Of the parties, those that ask anew while they wait, and of which one asks alone."""
_WAITS_SECONDS = (1.0, 2.0, 4.0, *(8.0,) * 7)
"""How long a player waits for an answer before it asks again, longer each time: where servers are
behind, asking every second would keep them there. All of it is longer than any fault keeps answers
away; each time that the request is read it is remembered anew."""
_KNOWN_SECONDS = MEMORY_SECONDS - 5
"""How long a request that does not say what it repeats may be sent again: a copy may be on its way
for a few seconds, and a copy that comes when the first is forgotten is a new request."""
_TRY_AGAIN = ("internal_error", "not_durable", "rate_limit_exceeded")
"""What happened is not known; the same request again is safe."""
_NOT_LEFT = ("not_in_queue", "match_pending", "request_expired")
"""The refusals of a request to leave."""


@dataclass(slots=True, kw_only=True)
class Stay:
    """A ticket that is asked for once."""

    name: str
    """Of the player, or of the party."""
    ticket: Ticket
    has_ids: bool
    """Whether a request that is sent again is known as the same."""
    asks: str = ""
    """Whom the answer to the request of now is about: the first of the members, or who leaves."""
    answered: dict[str, asyncio.Event] = field(
        default_factory=lambda: {word: asyncio.Event() for word in ("enqueue", "dequeue")}
    )
    over: bool = False

    @property
    def lead(self) -> Member:
        """Who asks for all."""
        return self.ticket.members[0]


class Players:
    """All players of one process."""

    def __init__(
        self,
        options: PodOptions,
        pods: Sequence[str],
        *,
        client: Client,
        notes: Notes,
        rng: random.Random,
        elsewhere: Sequence[str] = (),
    ) -> None:
        """`elsewhere`: pods of other processes, which are told of some players of parties."""
        self._options = options
        self._stream = keys.requests(options.realm)
        self._pods = pods
        self._elsewhere = elsewhere
        self._client = client
        self._notes = notes
        self._rng = rng
        self._here: dict[str, Stay] = {}

    async def arrive(self) -> None:
        """One after the other, until the file says that it is enough."""
        stop, number = Path(self._options.stop), 0
        async with asyncio.TaskGroup() as group:
            while not stop.exists():
                number += 1
                stay = self._next(f"{self._options.name}-{self._options.start}-p{number}")
                group.create_task(self._stay(stay))
                wait = self._rng.expovariate(self._options.players_per_second)
                await asyncio.sleep(wait * len(stay.ticket.members))

    def told(self, news: Event) -> None:
        """An answer to one of them."""
        stay = self._here.get(news.player)
        if stay is None:
            return
        if news.word == "Error":
            self._refused(stay, news)
        elif news.word == "DeQueued":
            stay.answered["dequeue"].set()
            stay.over = True
        else:
            stay.answered["enqueue"].set()
            stay.over |= news.word in ("MatchFound", "Expired")

    def _refused(self, stay: Stay, news: Event) -> None:
        if news.code in _TRY_AGAIN or news.player not in (stay.asks, stay.name):
            return
        # Only the later of the two requests can still be open.
        if not stay.answered["enqueue"].is_set():
            stay.answered["enqueue"].set()
        elif news.code in _NOT_LEFT:
            stay.answered["dequeue"].set()

    def _next(self, name: str) -> Stay:
        """Who comes next."""
        rng, shares = self._rng, self._options.shares
        (mode,) = rng.choices(list(shares), list(shares.values()))
        by_stream, has_ids = rng.random() < _BY_STREAM, rng.random() < _WITH_IDS
        size = rng.choice(PARTIES.get(mode, (1,))) if rng.random() < _IN_PARTIES else 1
        names = [name] if size == 1 else [f"{name}.{n}" for n in range(size)]
        # The first one is here, where the answers are waited for.
        pods = [self._pods, *[(*self._pods, *self._elsewhere)] * (size - 1)]
        members = tuple(
            Member(each, rng.choice(its)) for each, its in zip(names, pods, strict=True)
        )
        party = name if size > 1 else ""
        ticket = Ticket(mode=mode, members=members, party=party, by_stream=by_stream)
        return Stay(name=name, ticket=ticket, has_ids=has_ids, asks=members[0].player)

    async def _stay(self, stay: Stay) -> None:
        ticket, rng = stay.ticket, self._rng
        names = {stay.name, *(member.player for member in ticket.members)}
        self._here.update(dict.fromkeys(names, stay))
        try:
            async with asyncio.TaskGroup() as group:
                if ticket.party and rng.random() < _ONE_ALONE:
                    group.create_task(self._alone(stay))
                await self._ask(stay, "enqueue")
                if ticket.party and rng.random() < _ASK_AGAIN:
                    group.create_task(self._once_more(stay))
                if rng.random() < (_LEAVE_PARTY if ticket.party else _LEAVE):
                    await asyncio.sleep(rng.choice((0, 0.01, 0.1, 0.5, 2)))
                    if not stay.over:
                        await self._ask(stay, "dequeue", self._leaver(stay))
        finally:
            for name in names:
                self._here.pop(name, None)

    def _leaver(self, stay: Stay) -> Member | None:
        """One of a party whose answers come to this process; None: all leave as one."""
        mine = [each for each in stay.ticket.members if each.pod in self._pods]
        return None if self._rng.random() < _AS_ONE else self._rng.choice(mine)

    async def _alone(self, stay: Stay) -> None:
        """One of a party asks alone, before it or beside it; nobody waits for what comes of it."""
        await asyncio.sleep(self._rng.choice((0, 0.01, 0.3)))
        member = self._rng.choice(stay.ticket.members[1:])
        alone = Ticket(mode=stay.ticket.mode, members=(member,), by_stream=stay.ticket.by_stream)
        await self._send_once(alone, f"alone {member.player}")

    async def _once_more(self, stay: Stay) -> None:
        """The party asks anew, as a wish of its own: it is refused while it is somewhere."""
        await asyncio.sleep(self._rng.choice((0, 0.3, 3)))
        await self._send_once(stay.ticket, f"anew {stay.name}")

    async def _send_once(self, ticket: Ticket, request_id: str) -> None:
        for fields in ticket.asked("enqueue"):
            self._notes.now(What.ASKED, **fields)
        body = {**ticket.enqueue(self._metadata(ticket)), "request_id": request_id}
        with suppress(WireError):
            await self._send(ticket, "enqueue", body)

    async def _ask(self, stay: Stay, word: str, by: Member | None = None) -> None:
        ticket = stay.ticket
        stay.asks = (by or stay.lead).player
        for fields in ticket.asked(word, by):
            self._notes.now(What.ASKED, **fields)
        body = ticket.dequeue(by) if word == "dequeue" else ticket.enqueue(self._metadata(ticket))
        # A request that is neither kept nor known again can be sent only once, and may be lost.
        once = not (ticket.by_stream or stay.has_ids)
        if not once:
            body["request_id"] = f"{word} {stay.name}"
        known_until = asyncio.get_running_loop().time() + _KNOWN_SECONDS
        if not once and self._rng.random() < _TWICE:
            await self._repeat(ticket, word, body, known_until)
        for seconds in _WAITS_SECONDS[:1] if once else _WAITS_SECONDS:
            await self._repeat(ticket, word, body, known_until)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds * self._rng.uniform(0.7, 1.5)):
                    await stay.answered[word].wait()
            if stay.answered[word].is_set():
                return
        if not once:
            self._notes.now(What.GAVE_UP, player=stay.asks, word=word)

    def _metadata(self, ticket: Ticket) -> dict[str, str | Mapping[str, float]]:
        """Of every second player as an object, else as text that holds one."""
        each = {player: {"mmr": self._rng.gauss(1500, 200)} for player, _ in ticket.members}
        as_text = self._rng.random() < 0.5  # half of them
        return {who: json.dumps(told) if as_text else told for who, told in each.items()}

    async def _repeat(
        self, ticket: Ticket, word: str, body: dict[str, Any], known_until: float
    ) -> None:
        """Sends it, and notes in it what a further copy repeats."""
        with suppress(WireError, TimeoutError):
            entry = await self._send_while_known(ticket, word, body, known_until)
            if entry:
                body.setdefault("repeats", entry)

    async def _send_while_known(
        self, ticket: Ticket, word: str, body: Mapping[str, Any], known_until: float
    ) -> str:
        """As `_send`, but never later than that, unless the request says what it repeats. Raises
        TimeoutError, too.
        """
        if "repeats" in body:
            return await self._send(ticket, word, body)
        if asyncio.get_running_loop().time() > known_until:
            raise TimeoutError
        async with asyncio.timeout_at(known_until):
            return await self._send(ticket, word, body)

    async def _send(self, ticket: Ticket, word: str, body: Mapping[str, Any]) -> str:
        """The id of the entry, where the stream gave it one. Raises WireError."""
        text = json.dumps(body)
        if ticket.by_stream:
            command = ("XADD", self._stream, "NOMKSTREAM", "*", "kind", word, "body", text)
            (entry_id,) = await self._client.call(command)
            return "" if entry_id is None else str(entry_id.decode())
        channel = in_realm(f"match:{word}:request", self._options.realm)
        await self._client.call(("PUBLISH", channel, text))
        return ""
