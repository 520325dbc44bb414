"""`python -m proof.chaos.pod`: a process of several game servers, which notes all it sees.

It hears and asks over the plain wire, and takes matches with the client that ships, and in plain
messages, by Pub/Sub and by stream.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from crowd import handing
from crowd.behaviours import PodBehaviour
from crowd.history import What
from crowd.pods import treat
from crowd.wire import note
from matchkeeper.client import GameServer
from matchkeeper.domain.realm import in_realm
from matchkeeper.errors import StoreError
from matchkeeper.wire.answers import BattleRequest, decode_battle_request
from proof.chaos.handing import Answers, Hands, Messages
from proof.chaos.notes import Notes
from proof.chaos.players import Players
from proof.chaos.settings import DEADLINE_SECONDS, LEASE_SECONDS, PodOptions
from proof.chaos.wire import Client, Line, WireError

_PODS = 3
_TRIES = 4
"""How often the client is asked for a start: each time it asks for as long as a client does. What
it claims or declines too late is over."""
_TARDY_SECONDS = 2.0
_SHARES = {
    PodBehaviour.CLAIMS: 74,
    PodBehaviour.DECLINES: 5,
    PodBehaviour.FORGETS: 4,
    PodBehaviour.STARTS_LATE: 3,
    PodBehaviour.NEVER_CLAIMS: 8,
    PodBehaviour.STARTS_UNCLAIMED: 3,
    PodBehaviour.CLAIMS_LATE: 3,
}
"""What becomes of offers, in percent."""
_AT_ONCE = 0.3
"""Of those that are claimed and started, claim and start in one message."""


class Pods:
    """All pods of a process, which listens once for all of them."""

    def __init__(self, options: PodOptions) -> None:
        self._options = options
        self._rng = random.Random(options.seed)
        self._notes = Notes(Path(options.notes))
        self._client = Client(options.port, timeout_seconds=DEADLINE_SECONDS)
        self._said = in_realm("match:handoff:request", options.realm)
        self._names = [f"{options.name}-{number}" for number in range(_PODS)]
        self._pods: dict[str, GameServer] = {}
        """Those that are up. They only claim, confirm and decline: what they hear is noted here."""
        self._answers = Answers()
        self._players = Players(
            options,
            self._names,
            client=self._client,
            notes=self._notes,
            rng=self._rng,
            elsewhere=[f"{each}-{n}" for each in options.neighbours for n in range(_PODS)],
        )
        self._swallow = Path(options.swallow)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is killed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            for name in self._names:
                group.create_task(self._up(name))
            group.create_task(self._beat())
            group.create_task(self._players.arrive())

    async def _up(self, name: str) -> None:
        """One game server; it comes up as soon as Redis lets it."""
        url = f"redis://127.0.0.1:{self._options.port}/0"
        while True:
            pod = GameServer(
                url,
                pod_id=name,
                realm=self._options.realm,
                timeout=timedelta(seconds=DEADLINE_SECONDS),
                token=lambda: handing.token(name, f"{self._rng.randrange(16**8):08x}"),
            )
            with suppress(StoreError):
                async with pod:
                    self._pods[name] = pod
                    await asyncio.Event().wait()
            await asyncio.sleep(self._rng.uniform(0, 0.2))

    async def _listen(self) -> None:
        while True:
            with suppress(WireError):
                line = await Line.to(self._options.port)
                try:
                    await self._hear(line)
                finally:
                    line.close()
                    self._note_all(What.DEAF)
            await asyncio.sleep(self._rng.uniform(0, 0.02))

    def _note_all(self, what: What) -> None:
        for name in self._names:
            self._notes.now(what, who=name)

    async def _hear(self, line: Line) -> None:
        channels = ["battle:request", *(f"pod:{name}:match_result" for name in self._names)]
        line.send("SUBSCRIBE", *(in_realm(each, self._options.realm) for each in channels))
        pinged, confirmed = False, 0
        while True:
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    push = await line.receive()
            except TimeoutError:
                if pinged:
                    raise WireError("silent") from None
                pinged = True
                line.send("PING")
                continue
            pinged = False
            if isinstance(push, WireError):
                raise push  # Redis is not ready: again over a new connection
            confirmed += push[0] == b"subscribe"
            if push[0] == b"subscribe" and confirmed > len(self._names):
                self._note_all(What.LISTENS)
            if push[0] == b"message":
                self._take(push[1].decode(), push[2])

    def _take(self, channel: str, payload: bytes) -> None:
        event = note(self._notes, time.monotonic(), self._options.name, channel, payload)
        if event is None:
            return
        if event.what is What.TOLD:
            self._players.told(event)
            return
        if event.what is What.ANSWERED:
            self._answers.hear(event)
            return
        task = asyncio.create_task(self._treat(decode_battle_request(payload)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _treat(self, offer: BattleRequest) -> None:
        if offer.handoff == "publish":
            self._begin(offer)
            return
        (behaviour,) = self._rng.choices(list(_SHARES), list(_SHARES.values()))
        if swallows := self._swallow.exists():
            behaviour = PodBehaviour.GRABS
        tardy = _TARDY_SECONDS if behaviour is PodBehaviour.CLAIMS_LATE else 0.0
        starts_late = behaviour is PodBehaviour.STARTS_LATE
        name = self._rng.choice(self._names)
        hands = self._hands(name)
        if hands is None:
            return  # Redis was away since the process began
        again = partial(self._again, offer, tries=1)
        assignment = handing.assignment(offer.match_id, name)
        secrets = handing.secrets(offer.match_id, (each.player_id for each in offer.players))

        def confirming(
            how: Callable[..., Awaitable[bool]],
        ) -> Callable[[BattleRequest], Awaitable[bool]]:
            return lambda request: how(request, assignment, secrets)

        def note(what: What) -> None:
            word = behaviour.value if what is What.CLAIMED else ""
            assigns = what is What.CONFIRMING
            self._notes.now(what, **_facts(offer, name), word=word, assigns=assigns)

        if behaviour is PodBehaviour.CLAIMS and self._rng.random() < _AT_ONCE:
            note(What.CONFIRMING)
            if await self._again(offer, confirming(hands.start), tries=_TRIES):
                note(What.CLAIMED)
                note(What.STARTED)
            return
        await treat(
            behaviour,
            claim=partial(again, hands.claim),
            decline=partial(again, hands.decline),
            start=partial(
                self._again, offer, confirming(hands.started), tries=1 if swallows else _TRIES
            ),
            before=lambda: tardy + self._rng.choice((0.0, 0.001, 0.005, 0.02)),
            between=1.1 * LEASE_SECONDS if starts_late else self._rng.uniform(0, 0.1),
            note=note,
        )

    def _hands(self, name: str) -> Hands | None:
        """What takes the next match for a pod: the client, or messages on one of two ways."""
        way = self._rng.randrange(3)
        if not way:
            return self._pods.get(name)
        return Messages(
            name,
            self._options,
            self._answers,
            client=self._client,
            rng=self._rng,
            by_stream=way == 1,
        )

    def _begin(self, offer: BattleRequest) -> None:
        """An announced match is started by the pod of its first player; the others pass it over."""
        pod = offer.players[0].pod_id
        if pod in self._names:
            self._notes.now(What.STARTED, **_facts(offer, pod))

    async def _again(
        self, offer: BattleRequest, ask: Callable[[BattleRequest], Awaitable[bool]], *, tries: int
    ) -> bool:
        """What the client says. It is asked again until it knows."""
        for _ in range(tries):
            with suppress(StoreError):
                return await ask(offer)
            await asyncio.sleep(self._rng.uniform(0, 0.2))
        return False

    async def _beat(self) -> None:
        while True:
            for name in self._names:
                with suppress(WireError):
                    said = json.dumps({"kind": "heartbeat", "pod_id": name})
                    await self._client.call(("PUBLISH", self._said, said))
            await asyncio.sleep(1)


def _facts(offer: BattleRequest, pod: str) -> dict[str, Any]:
    return {"match": offer.match_id, "epoch": offer.epoch, "who": pod}


if __name__ == "__main__":
    asyncio.run(Pods(PodOptions.parse(sys.argv[1])).run())
