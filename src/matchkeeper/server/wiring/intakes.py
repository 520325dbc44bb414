"""The two ways in for requests: Pub/Sub and the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from matchkeeper.config import Settings
from matchkeeper.domain.realm import QueueName
from matchkeeper.handoff.notices import Notices
from matchkeeper.handoff.requests import HandoffRequests
from matchkeeper.handoff.statuses import StatusRequests
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.fleet import Fleet
from matchkeeper.queue.hearing import PubSubIntake
from matchkeeper.queue.ingest import Ingest
from matchkeeper.queue.rounds import Rounds
from matchkeeper.queue.stream_intake import StreamIntake
from matchkeeper.server.clock_watch import ClockWatch
from matchkeeper.server.lifecycle import Task
from matchkeeper.server.wiring.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Intakes:
    """`stream` is None where streams are not read."""

    pubsub: PubSubIntake
    stream: StreamIntake | None

    def tasks(self, clock: ClockWatch) -> list[Task]:
        """The tasks to run. A request from a time without servers gets a place of the present
        time.
        """
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
    runtime: Runtime,
    *,
    notices: Notices,
    handoffs: HandoffRequests,
) -> Intakes:
    """Both ways into the queues."""
    matchmaking = settings.matchmaking
    ingest = Ingest(
        settings.modes(),
        runtime,
        tickets=stores.tickets,
        handoffs=handoffs,
        statuses=StatusRequests(
            runtime,
            statuses=stores.statuses,
            stream=stores.stream,
            notices=notices,
            elsewhere=lambda: fleet.agreement.elsewhere,
        ),
        stream=stores.stream,
        notices=notices,
        settings=matchmaking,
        queues=queues,
        # A request that is handed on must be read again, at least by this server.
        known_elsewhere=fleet.knows if matchmaking.read_streams else lambda _: False,
    )
    pubsub = PubSubIntake(ingest, stores.connection, stores.hearing, matchmaking, runtime)
    stream = StreamIntake(ingest, stores.stream, matchmaking, runtime)
    return Intakes(pubsub=pubsub, stream=stream if matchmaking.read_streams else None)
