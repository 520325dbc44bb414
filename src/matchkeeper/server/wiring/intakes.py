"""The two ways in: what is heard on Pub/Sub, and what stands in the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from matchkeeper.config import Settings
from matchkeeper.domain.realm import QueueName
from matchkeeper.observe.facts import Facts
from matchkeeper.queue.fleet import Fleet
from matchkeeper.queue.hearing import PubSubIntake
from matchkeeper.queue.ingest import Ingest
from matchkeeper.queue.rounds import Rounds
from matchkeeper.queue.stream_intake import StreamIntake
from matchkeeper.server.clock_watch import ClockWatch
from matchkeeper.server.lifecycle import Task
from matchkeeper.server.wiring.stores import Clock, Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Intakes:
    """`stream` is None where streams are not read."""

    pubsub: PubSubIntake
    stream: StreamIntake | None

    def tasks(self, clock: ClockWatch) -> list[Task]:
        """What runs; who asked while no server ran has a place of now, not of then."""
        found = [
            Task(name="listening", run=self.pubsub.listen),
            Task(name="hearing", run=self.pubsub.keep),
            Task(name="pub/sub requests", run=partial(clock.then, self.pubsub.work)),
        ]
        if self.stream is not None:
            found.append(Task(name="stream requests", run=partial(clock.then, self.stream.run)))
        return found


def intakes_for(
    settings: Settings,
    stores: Stores,
    queues: Mapping[QueueName, Rounds],
    fleet: Fleet,
    *,
    facts: Facts,
    clock: Clock,
    token: Callable[[], str],
    stop: asyncio.Event,
) -> Intakes:
    """Both ways into the queues."""
    matchmaking = settings.matchmaking
    ingest = Ingest(
        settings.modes(),
        tickets=stores.tickets,
        stream=stores.stream,
        connection=stores.connection,
        settings=matchmaking,
        queues=queues,
        facts=facts,
        # What is handed on must be read again, at least by this server.
        known_elsewhere=fleet.knows if matchmaking.read_streams else lambda _: False,
        clock=clock,
        new_token=token,
    )
    pubsub = PubSubIntake(
        ingest,
        stores.connection,
        stores.hearing,
        matchmaking,
        clock=clock,
        stop=stop,
        facts=facts,
    )
    if not matchmaking.read_streams:
        return Intakes(pubsub=pubsub, stream=None)
    stream = StreamIntake(ingest, stores.stream, matchmaking, facts=facts, stop=stop)
    return Intakes(pubsub=pubsub, stream=stream)
