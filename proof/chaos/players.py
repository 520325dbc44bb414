"""Players of a pod: each asks once to play, again until it is answered, and some leave again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crowd.history import Event, What
from matchkeeper.domain.realm import in_realm
from matchkeeper.store import keys
from proof.chaos.notes import Notes
from proof.chaos.settings import MEMORY_SECONDS, PodOptions
from proof.chaos.wire import Client, WireError

_BY_STREAM = 0.6
_WITH_IDS = 0.5
_LEAVE = 0.12
_ASK_AGAIN_SECONDS = 1.0
_KNOWN_SECONDS = MEMORY_SECONDS - 5
"""How long a request that does not say what it repeats may be sent again: a copy may be on its way
for a few seconds, and a copy that comes when the first is forgotten is a new request."""
_PATIENCE = 45
"""How often a player asks: for longer than any fault keeps answers away. Each time that the request
is read it is remembered anew."""
_TRY_AGAIN = ("internal_error", "not_durable", "rate_limit_exceeded")
"""What happened is not known; the same request again is safe."""


@dataclass(slots=True, kw_only=True)
class Player:
    """One player, with one stay."""

    name: str
    mode: str
    pod: str
    by_stream: bool
    has_ids: bool
    """Whether a request that is sent again is known as the same."""
    answered: dict[str, asyncio.Event] = field(
        default_factory=lambda: {word: asyncio.Event() for word in ("enqueue", "dequeue")}
    )
    over: bool = False


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
    ) -> None:
        self._options = options
        self._stream = keys.requests(options.realm)
        self._pods = pods
        self._client = client
        self._notes = notes
        self._rng = rng
        self._here: dict[str, Player] = {}

    async def arrive(self) -> None:
        """One after the other, until the file says that it is enough."""
        stop, number = Path(self._options.stop), 0
        async with asyncio.TaskGroup() as group:
            while not stop.exists():
                number += 1
                name = f"{self._options.name}-{self._options.start}-p{number}"
                group.create_task(self._stay(name))
                await asyncio.sleep(self._rng.expovariate(self._options.players_per_second))

    def told(self, news: Event) -> None:
        """An answer to one of them."""
        player = self._here.get(news.player)
        if player is None:
            return
        if news.word == "Error":
            self._refused(player, news.code)
        elif news.word == "DeQueued":
            player.answered["dequeue"].set()
        else:
            player.answered["enqueue"].set()
            player.over |= news.word in ("MatchFound", "Expired")

    def _refused(self, player: Player, code: str) -> None:
        if code in _TRY_AGAIN:
            return
        # Only the later of the two requests can still be open.
        first = player.answered["enqueue"]
        (player.answered["dequeue"] if first.is_set() else first).set()

    async def _stay(self, name: str) -> None:
        shares = self._options.shares
        (mode,) = self._rng.choices(list(shares), list(shares.values()))
        player = Player(
            name=name,
            mode=mode,
            pod=self._rng.choice(self._pods),
            by_stream=self._rng.random() < _BY_STREAM,
            has_ids=self._rng.random() < _WITH_IDS,
        )
        self._here[name] = player
        try:
            await self._ask(player, "enqueue")
            if self._rng.random() < _LEAVE:
                await asyncio.sleep(self._rng.choice((0, 0.01, 0.1, 0.5, 2)))
                if not player.over:
                    await self._ask(player, "dequeue")
        finally:
            del self._here[name]

    async def _ask(self, player: Player, word: str) -> None:
        self._notes.now(
            What.ASKED,
            who=player.pod,
            player=player.name,
            mode=player.mode.lower(),
            word=word,
            by_stream=player.by_stream,
        )
        body = {"player_id": player.name, "game_mode": player.mode, "pod_id": player.pod}
        # A request that is neither kept nor known again can be sent only once, and may be lost.
        once = not (player.by_stream or player.has_ids)
        if not once:
            body["request_id"] = f"{word} {player.name}"
        if word == "enqueue":
            body["metadata"] = json.dumps({"mmr": self._rng.gauss(1500, 200)})
        known_until = asyncio.get_running_loop().time() + _KNOWN_SECONDS
        for _ in range(1 if once else _PATIENCE):
            with suppress(WireError, TimeoutError):
                entry = await self._send_while_known(player, word, body, known_until)
                if entry:
                    body.setdefault("repeats", entry)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_AGAIN_SECONDS * self._rng.uniform(0.7, 1.5)):
                    await player.answered[word].wait()
            if player.answered[word].is_set():
                return
        if not once:
            self._notes.now(What.GAVE_UP, player=player.name, word=word)

    async def _send_while_known(
        self, player: Player, word: str, body: dict[str, str], known_until: float
    ) -> str:
        """As `_send`, but never later than that, unless the request says what it repeats. Raises
        TimeoutError, too.
        """
        if "repeats" in body:
            return await self._send(player, word, json.dumps(body))
        if asyncio.get_running_loop().time() > known_until:
            raise TimeoutError
        async with asyncio.timeout_at(known_until):
            return await self._send(player, word, json.dumps(body))

    async def _send(self, player: Player, word: str, body: str) -> str:
        """The id of the entry, where the stream gave it one. Raises WireError."""
        if player.by_stream:
            command = ("XADD", self._stream, "NOMKSTREAM", "*", "kind", word, "body", body)
            (entry_id,) = await self._client.call(command)
            return "" if entry_id is None else str(entry_id.decode())
        channel = in_realm(f"match:{word}:request", self._options.realm)
        await self._client.call(("PUBLISH", channel, body))
        return ""
